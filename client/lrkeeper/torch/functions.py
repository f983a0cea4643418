"""The functions that a job's schedulers call: what they return is proposed to the run, they stay here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from torch.optim import lr_scheduler as torch_schedulers

from lrkeeper.torch.calling import factor


def callers(scheduler: Any) -> list[Any]:
    """Return the schedulers that call a function of the job's: this one, or members of it."""
    if isinstance(scheduler, torch_schedulers.LambdaLR | torch_schedulers.MultiplicativeLR):
        return [scheduler]
    if isinstance(scheduler, torch_schedulers.CyclicLR):
        return [scheduler] if scheduler._scale_fn_custom is not None else []
    return [found for member in getattr(scheduler, "_schedulers", ()) for found in callers(member)]


@contextmanager
def recorded(scheduler: Any) -> Iterator[list[float]]:
    """Within, gather what the functions return, in the order of torch's calls, as the numbers it computes with."""
    results: list[float] = []
    with ExitStack() as stack:
        for caller in callers(scheduler):
            stack.enter_context(_recorded(caller, results))
        yield results


@contextmanager
def _recorded(caller: Any, results: list[float]) -> Iterator[None]:
    cyclic = isinstance(caller, torch_schedulers.CyclicLR)
    name = "_scale_fn_custom" if cyclic else "lr_lambdas"
    functions = vars(caller)[name]
    if cyclic:
        noting: Any = _noting(functions, results)
    else:
        lrs = (group["lr"] for group in caller.optimizer.param_groups)
        noting = [_noting(function, results, lr) for function, lr in zip(functions, lrs, strict=False)]
    vars(caller)[name] = noting
    try:
        yield
    finally:
        vars(caller)[name] = functions


def _noting(function: Callable[[Any], Any], results: list[float], lr: Any = 0.0) -> Callable[[Any], Any]:
    def call(epoch: Any) -> Any:
        result = function(epoch)
        results.append(factor(result, lr))
        return result

    return call


class Books:
    """What torch has written of a scheduler, its members and its groups, to be put back."""

    def __init__(self, scheduler: Any) -> None:
        self._books = [(each, vars(each).copy()) for each in _all(scheduler)]

    def put_back(self) -> None:
        """Undo what torch wrote since; the groups are the caller's to write."""
        for each, books in self._books:
            vars(each).clear()
            vars(each).update(books)


def _all(scheduler: Any) -> Iterator[Any]:
    yield scheduler
    for member in getattr(scheduler, "_schedulers", ()):
        yield from _all(member)

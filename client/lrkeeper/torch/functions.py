"""The functions that a job's schedulers call: what they return is proposed to the run, they stay here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from torch.optim import lr_scheduler as torch_schedulers
from torch.optim.lr_scheduler import LRScheduler

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
        self._books = [(each, _noted(each)) for each in _all(scheduler)]

    def put_back(self) -> None:
        """Undo what torch wrote since; the groups are the caller's to write."""
        for each, books in self._books:
            if isinstance(books, tuple):
                for name, value in zip(_WRITTEN, books, strict=True):
                    setattr(each, name, value)
            else:
                vars(each).clear()
                vars(each).update(books)


_WRITTEN = ("last_epoch", "_step_count", "_last_lr", "_get_lr_called_within_step")


def _noted(scheduler: Any) -> tuple[Any, ...] | dict[str, Any]:
    """Return what LRScheduler's own `step` writes, or all of a class that has another.

    To look at `__dict__` makes every later look at an attribute slower.
    """
    kinds = type(scheduler).__mro__
    if kinds[0].__module__.partition(".")[0] in ("lrkeeper", "torch"):
        torchs: Any = next(kind for kind in kinds if kind.__module__.startswith("torch."))
        if torchs.step is LRScheduler.step:
            return tuple(getattr(scheduler, name, None) for name in _WRITTEN)
    books: dict[str, Any] = vars(scheduler).copy()
    return books


def _all(scheduler: Any) -> Iterator[Any]:
    yield scheduler
    for member in getattr(scheduler, "_schedulers", ()):
        yield from _all(member)

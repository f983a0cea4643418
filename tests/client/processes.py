"""Functions in processes of their own: of another start of a job, unless told otherwise."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from typing import Any, TypeVar

# Forked from a process that never had a client: as good as started anew, but torch is imported already
# (with the part that it imports when the first optimizer is made, which takes seconds).
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["torch._dynamo", "lrkeeper.lr_scheduler", "lrkeeper.torch.remote_lr"])

R = TypeVar("R")
Call = tuple[Callable[..., R], Sequence[Any], dict[str, str]]


def in_new_process(function: Callable[..., R], *args: Any, **environment: str) -> R:
    """Return what a function returns in a new process, or raise what it raises there."""
    return at_once([(function, args, environment)])[0]


def as_ranks(size: int, function: Callable[..., R], *args: Any, **environment: str) -> list[R]:
    """Return what a function returns in the processes of the ranks of one start, which run at once."""
    world = {"WORLD_SIZE": str(size)}
    return at_once([(function, args, {**environment, **world, "RANK": str(rank)}) for rank in range(size)])


def at_once(calls: Sequence[Call[R]]) -> list[R]:
    """Return the results of functions, each with its arguments and environment in a new process."""
    horizon = {"LRKEEPER_HORIZON": os.environ["LRKEEPER_HORIZON"]} if "LRKEEPER_HORIZON" in os.environ else {}
    calls = [(function, args, {**horizon, **environment}) for function, args, environment in calls]
    with ExitStack() as stack:
        pools = [stack.enter_context(ProcessPoolExecutor(1, mp_context=_context)) for _ in calls]
        futures = [pool.submit(_call, call) for pool, call in zip(pools, calls, strict=True)]
        return [future.result(timeout=120) for future in futures]


def _call(call: Call[R]) -> R:
    function, args, environment = call
    for name in [name for name in os.environ if name.startswith("LRKEEPER_")]:
        del os.environ[name]
    os.environ.update(environment)
    return function(*args)

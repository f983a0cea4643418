"""Functions in processes of their own: of another start of a job, unless told otherwise."""

from __future__ import annotations

import faulthandler
import multiprocessing
import os
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, wait
from contextlib import ExitStack, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import torch.distributed

# Forked from a process that never had a client: as good as started anew, but torch is imported already
# (with the part that it imports when the first optimizer is made, which takes seconds).
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["torch._dynamo", "lrkeeper.lr_scheduler", "lrkeeper.torch.remote_lr"])

_SECONDS = 120.0

R = TypeVar("R")
Call = tuple[Callable[..., R], Sequence[Any], dict[str, str]]


def in_new_process(function: Callable[..., R], *args: Any, **environment: str) -> R:
    """Return what a function returns in a new process, or raise what it raises there."""
    return at_once([(function, args, environment)])[0]


def as_ranks(size: int, function: Callable[..., R], *args: Any, **environment: str) -> list[R]:
    """Return what a function returns in the processes of the ranks of one start, which run at once."""
    world = {"WORLD_SIZE": str(size)}
    return at_once([(function, args, {**environment, **world, "RANK": str(rank)}) for rank in range(size)])


def in_group(store: Path, function: Callable[..., R], *args: Any) -> R:
    """Return what a function returns in the gloo process group of the ranks that share a store.

    The group is destroyed once the function's models are gone: where a DistributedDataParallel is the last to have
    it, torch waits for its threads with the interpreter's lock, for which one of them may wait (pytorch#56297).
    """
    rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    torch.distributed.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=size)
    try:
        return function(*args)
    finally:
        torch.distributed.destroy_process_group()


def at_once(calls: Sequence[Call[R]]) -> list[R]:
    """Return the results of functions, each with its arguments and environment in a new process.

    Raises what they raise; TimeoutError after two minutes, with the stacks of those that hang.
    """
    horizon = {"LRKEEPER_HORIZON": os.environ["LRKEEPER_HORIZON"]} if "LRKEEPER_HORIZON" in os.environ else {}
    calls = [(function, args, {**horizon, **environment}) for function, args, environment in calls]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        stacks = [folder / str(number) for number in range(len(calls))]
        pools = [stack.enter_context(ProcessPoolExecutor(1, mp_context=_context)) for _ in calls]
        jobs = zip(pools, calls, stacks, strict=True)
        futures = [pool.submit(_call, call, where) for pool, call, where in jobs]
        done, hanging = wait(futures, _SECONDS)
        if hanging:
            for pool in pools:
                _abort(pool)
            found = "\n\n".join(f"process {where.name}:\n{where.read_text()}" for where in stacks)
            raise TimeoutError(found) from next((error for each in done if (error := each.exception())), None)
        return [future.result() for future in futures]


def _abort(pool: ProcessPoolExecutor) -> None:
    """End a pool's process, which writes where it is."""
    for process in list(pool._processes.values()):
        assert process.pid is not None
        with suppress(OSError):
            os.kill(process.pid, signal.SIGABRT)
        process.join()


def _call(call: Call[R], stacks: Path) -> R:
    function, args, environment = call
    for name in [name for name in os.environ if name.startswith("LRKEEPER_")]:
        del os.environ[name]
    os.environ.update(environment)
    with stacks.open("w") as out:
        faulthandler.enable(out, all_threads=True)
        try:
            return function(*args)
        finally:
            faulthandler.disable()

"""This start of the job: its id, its ranks, who launched it, and names for its runs."""

from __future__ import annotations

import os
import socket
import weakref
from contextlib import suppress
from typing import Any
from uuid import uuid4

import torch

from lrkeeper.errors import NotConfigured
from lrkeeper.settings import INCARNATION, RUN

_STORE_KEY = "lrkeeper/incarnation"

_LAUNCHERS = {  # launcher → variables that tell its job; labels only, never identity
    "torchrun": ("TORCHELASTIC_RUN_ID", "TORCHELASTIC_RESTART_COUNT"),
    "slurm": ("SLURM_JOB_ID", "SLURM_RESTART_COUNT"),
    "kubernetes": ("KUBERNETES_SERVICE_HOST", "HOSTNAME"),
}


class _ThisProcess:
    """What is made once a process; a forked one makes its own."""

    def __init__(self) -> None:
        self.pid = 0
        self.incarnation = ""
        self.alone = True
        self.built = 0
        self.owners: weakref.WeakValueDictionary[str, Any] = weakref.WeakValueDictionary()

    def fresh(self) -> _ThisProcess:
        if self.pid != os.getpid():
            self.__init__()  # type: ignore[misc]
            self.pid = os.getpid()
        return self


_process = _ThisProcess()


def world() -> tuple[int, int]:
    """Return this process's rank and the world size: torch.distributed's, else the launcher's."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return torch.distributed.get_rank(), torch.distributed.get_world_size()
    return int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))


def incarnation(given: str | None) -> str:
    """Return the id of this start, which all its ranks share.

    Raises NotConfigured if there are several ranks and nothing through which they could agree.
    """
    given = given or os.environ.get(INCARNATION)
    if given:
        return given
    process = _process.fresh()
    rank, size = world()
    if process.incarnation and process.alone == (size == 1):
        return process.incarnation
    process.incarnation, process.alone = "", size == 1
    if size == 1:
        process.incarnation = uuid4().hex
    elif torch.distributed.is_available() and torch.distributed.is_initialized():
        process.incarnation = _agreed(rank, size)
    else:
        raise NotConfigured(
            f"WORLD_SIZE is {size}, and the ranks have nothing to agree through: call "
            f"torch.distributed.init_process_group() before the scheduler is made, or give all ranks of "
            f"this start the same id (incarnation= or {INCARNATION})"
        )
    return process.incarnation


def _agreed(rank: int, size: int) -> str:
    """Return rank 0's random id, through the process group's store.

    torchrun's store outlives the ranks that it starts again, so the id goes once all have read it.
    """
    store = torch.distributed.distributed_c10d._get_default_store()
    if rank == 0:
        made = uuid4().hex
        store.set(_STORE_KEY, made)
        return made
    found: str = store.get(_STORE_KEY).decode()
    if store.add(f"{_STORE_KEY}/{found}", 1) == size - 1:
        with suppress(RuntimeError):  # not every store deletes
            store.delete_key(_STORE_KEY)
    return found


def reserve_name(incarnation: str, owner: object) -> str:
    """Return a name for the run of a scheduler that was given none, and set it aside.

    LRKEEPER_RUN's, with ".2" behind it for a second living scheduler; else one made of the incarnation and
    the number of schedulers built before, which is the same on all ranks.
    """
    process = _process.fresh()
    process.built += 1
    root = os.environ.get(RUN) or f"run-{incarnation[:16]}-{process.built}"
    name, place = root, 1
    while process.owners.get(name, owner) is not owner:
        place += 1
        name = f"{root}.{place}"
    process.owners[name] = owner
    return name


def release_name(name: str, owner: object) -> None:
    """Give a name back that was set aside."""
    owners = _process.fresh().owners
    if owners.get(name) is owner:
        del owners[name]


def take_run(name: str, owner: object) -> None:
    """Note that a scheduler has a run now; an earlier one of this process has it no more, and is told."""
    owners = _process.fresh().owners
    before, owners[name] = owners.get(name), owner
    if before is not None and before is not owner:
        before.interrupt()


def has_run(name: str, owner: object) -> bool:
    """Return whether a scheduler still has its run."""
    return _process.fresh().owners.get(name, owner) is owner


def labels() -> dict[str, str]:
    """Return what tells people where this start runs."""
    found = {"host": socket.gethostname(), "pid": str(os.getpid())}
    for launcher, variables in _LAUNCHERS.items():
        told = {name.lower(): os.environ[name][:256] for name in variables if os.environ.get(name)}
        if variables[0].lower() in told:
            found |= {"launcher": launcher, **told}
            break
    return found

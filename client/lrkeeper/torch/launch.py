"""This start of the job: its id, its ranks, who launched it, and names for its runs."""

from __future__ import annotations

import os
import socket
import weakref
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
        self.generated = 0
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
    if process.incarnation:
        return process.incarnation
    rank, size = world()
    if size == 1:
        process.incarnation = uuid4().hex
    elif torch.distributed.is_available() and torch.distributed.is_initialized():
        process.incarnation = _agreed(rank)
    else:
        raise NotConfigured(
            f"WORLD_SIZE is {size}, and the ranks have nothing to agree through: call "
            f"torch.distributed.init_process_group() before the scheduler is made, or give all ranks of "
            f"this start the same id (incarnation= or {INCARNATION})"
        )
    return process.incarnation


def _agreed(rank: int) -> str:
    """Return rank 0's random id, through the process group's store."""
    store = torch.distributed.distributed_c10d._get_default_store()
    if rank == 0:
        store.set(_STORE_KEY, uuid4().hex)
    found: bytes = store.get(_STORE_KEY)
    return found.decode()


def run_name(given: str | None, incarnation: str, owner: object) -> str:
    """Return the name of a scheduler's run, and note that the scheduler has it now.

    A second living scheduler under one LRKEEPER_RUN gets ".2"; without any name one is made of the
    incarnation, the same on all ranks.
    """
    process = _process.fresh()
    name = given
    if name is None:
        root = os.environ.get(RUN)
        if not root:
            process.generated += 1
            root = f"run-{incarnation[:16]}-{process.generated}"
        name, place = root, 1
        while process.owners.get(name, owner) is not owner:
            place += 1
            name = f"{root}.{place}"
    process.owners[name] = owner
    return name


def has(name: str, owner: object) -> bool:
    """Return whether a scheduler still has a run, or a later one of this process has taken it."""
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

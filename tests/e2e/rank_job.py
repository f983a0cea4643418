"""One rank of a job, for torchrun: a small model in DistributedDataParallel, and what its optimizer used.

It notes each step in FOLDER/rankR-PID.jsonl, and goes on as far as the number in FOLDER/gate says.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import time
from pathlib import Path
from typing import Any

import torch
import torch.distributed
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from lrkeeper import RemoteLR, lr_scheduler
from lrkeeper import schedules as S
from lrkeeper.errors import RunFenced
from lrkeeper.torch.ticket import Ticket

LRS = (0.1, 0.03)
GAMMA = 0.995
SAVED_EVERY = 20

_PACE = 0.005  # seconds a step takes at least, so that a horizon is not more steps than a test reckons with
_NOWHERE = "127.0.0.1:1"


class Notes(logging.Handler):
    """What a rank did, one JSON object a line; also what lrkeeper warns of."""

    def __init__(self, folder: Path, rank: int) -> None:
        super().__init__(logging.WARNING)
        self._file = (folder / f"rank{rank}-{os.getpid()}.jsonl").open("w")

    def write(self, **note: Any) -> None:
        """Write a note, and when it was: nanoseconds of the machine's monotonic clock."""
        self._file.write(json.dumps({**note, "at": time.monotonic_ns()}) + "\n")
        self._file.flush()

    def emit(self, record: logging.LogRecord) -> None:
        """Note what was logged."""
        self.write(said=record.getMessage())


class Gate:
    """Holds the job before a step, until the test lets it go on."""

    def __init__(self, folder: Path, notes: Notes) -> None:
        self._file, self._notes = folder / "gate", notes
        self._open_to = 0

    def pass_to(self, step: int, scheduler: Any) -> None:
        """Return once the step may be taken; note that it had to wait, and up to where values are held."""
        noted = -1
        while step >= self._open_to:
            self._open_to = int(self._file.read_text())
            if step >= self._open_to > noted:
                noted = self._open_to
                self._notes.write(waits=step, held_until=_held_until(scheduler))
            if step >= self._open_to:
                time.sleep(0.005)


def _held_until(scheduler: Any) -> int:
    ticket = Ticket.from_state(scheduler.state_dict()["lrkeeper"])
    if ticket is None:
        return 0
    tables = [window.table for window in ticket.ahead if window.table is not None]
    return tables[-1].end_step if tables else ticket.step + 1


def train(arguments: argparse.Namespace, rank: int, notes: Notes) -> None:
    """Train from the checkpoint on, if there is one."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
    groups = [
        {"params": part.parameters(), "lr": lr} for part, lr in zip((model[0], model[2]), LRS, strict=True)
    ]
    optimizer = torch.optim.SGD(groups)
    scheduler: Any
    if arguments.drop_in:
        scheduler = lr_scheduler.ExponentialLR(optimizer, GAMMA)
    else:
        scheduler = RemoteLR(optimizer, S.ExponentialLR(GAMMA), max_stall=arguments.max_stall)
    begin = 0
    if arguments.checkpoint.exists():
        state = torch.load(arguments.checkpoint, weights_only=True)
        begin = state["step"]
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        scheduler.load_state_dict(state["scheduler"])
    parallel = DistributedDataParallel(model)
    gate = Gate(arguments.folder, notes)
    step, fenced = begin, False

    def note(*_: Any) -> None:
        notes.write(step=step, lrs=[float(group["lr"]).hex() for group in optimizer.param_groups])

    optimizer.register_step_pre_hook(note)
    for step in range(begin, arguments.steps):
        gate.pass_to(step, scheduler)
        optimizer.zero_grad()
        batch = torch.randn(8, 4, generator=torch.Generator().manual_seed(step * 100 + rank))
        parallel(batch).pow(2).mean().backward()
        time.sleep(_PACE)
        if fenced:
            continue
        try:
            optimizer.step()
            scheduler.step()
        except RunFenced as error:
            if not arguments.stays_when_fenced:
                raise
            notes.write(raised="RunFenced", text=str(error), details=dict(error.details))
            fenced = True
        if rank == 0 and (step + 1) % SAVED_EVERY == 0:
            state = {
                "step": step + 1,
                "model": model.state_dict(),
                "optimizer": optimizer.state_dict(),
                "scheduler": scheduler.state_dict(),
            }
            torch.save(state, arguments.checkpoint.with_suffix(".part"))
            arguments.checkpoint.with_suffix(".part").rename(arguments.checkpoint)
            notes.write(saved=step + 1)


def main() -> None:
    """Be the rank that the environment says."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--drop-in", action="store_true")
    parser.add_argument("--max-stall", type=float, default=120.0)
    parser.add_argument("--only-rank-0-has-a-server", action="store_true")
    parser.add_argument(
        "--stays-when-fenced", action="store_true", help="compute on without the optimizer: others go on"
    )
    arguments = parser.parse_args()
    torch.distributed.init_process_group("gloo")
    rank = torch.distributed.get_rank()
    if arguments.only_rank_0_has_a_server and rank:
        os.environ["LRKEEPER_SERVER"] = _NOWHERE
    notes = Notes(arguments.folder, rank)
    logging.getLogger("lrkeeper").addHandler(notes)
    try:
        train(arguments, rank, notes)
        torch.distributed.barrier()
    except Exception as error:
        notes.write(raised=type(error).__name__, text=str(error), details=dict(getattr(error, "details", {})))
        raise
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main()

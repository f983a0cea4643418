"""What operators do to a run acts on all ranks of its job at one step, however far ahead each holds values."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import torch.distributed

from lrkeeper import Client, RemoteLR
from lrkeeper import schedules as S
from lrkeeper.errors import RunFenced
from lrkeeper.torch.ticket import Ticket
from tests.client.processes import as_ranks, in_group
from tests.client.training import Row, Training
from tests.support.server import ServerProcess

BEFORE = S.ExponentialLR(0.99)
AFTER = S.ExponentialLR(0.98)

STEPS = 300
OPERATED_AT = 60
SAVED_AT, BACK_TO = 40, 45


class Rank:
    """This process's training on a run."""

    def __init__(self, run: str, *horizons: float) -> None:
        self.number = torch.distributed.get_rank()
        self.training = Training(0.1, 0.03)
        self.scheduler = RemoteLR(self.training.optimizer, BEFORE, run=run, horizon=horizons[self.number])

    def goes_on(self, steps: int) -> None:
        for _ in range(steps):
            time.sleep(0.002)  # so that a horizon of 0.1 s is 50 steps at most
            self.training.epochs(self.scheduler, 1)

    def held_until(self) -> int:
        """Return the first step whose values this rank does not hold."""
        ticket = Ticket.from_state(self.scheduler.state_dict()["lrkeeper"])
        assert ticket is not None
        tables = [window.table for window in ticket.ahead if window.table is not None]
        return max([ticket.step + 1, *(table.end_step for table in tables)])


def alone(schedule: S.Schedule, steps: int) -> list[Row]:
    """Return what a job without a server uses."""
    training = Training(0.1, 0.03)
    return training.epochs(RemoteLR(training.optimizer, schedule, mode="off"), steps)


@pytest.fixture
def there(server: ServerProcess) -> dict[str, str]:
    return {"LRKEEPER_SERVER": server.address}


# An edit without a step.


def train_and_edit(run: str) -> tuple[list[Row], int | None]:
    """Train; rank 0 edits the run on the way, while rank 1 goes on. Return the lrs used, and the edit's step."""
    rank, effective_step = Rank(run, 0.01, 0.1), None
    rank.goes_on(OPERATED_AT)
    if rank.number == 0:
        with Client() as client:
            edited = client.edit_run(run, AFTER, expected_revision=1, reason="too slow")
        effective_step = edited.effective_step
    rank.goes_on(STEPS - OPERATED_AT)
    return rank.training.used, effective_step


def test_an_edit_without_a_step_acts_on_every_rank_at_the_step_that_its_answer_names(
    there: dict[str, str], tmp_path: Path, run: str
) -> None:
    (first, effective_step), (second, _) = as_ranks(
        2, in_group, tmp_path / "store", train_and_edit, run, **there
    )
    assert effective_step is not None
    assert OPERATED_AT <= effective_step < STEPS
    expected = alone(BEFORE, STEPS)[:effective_step] + alone(AFTER, STEPS)[effective_step:]
    assert first == expected
    assert second == expected


# A rollback.


def train_and_roll_back(run: str) -> tuple[list[Row], int, dict[str, Any]]:
    """Train until fenced; rank 0 takes the run back on the way, while both stand at a step.

    Return the lrs used, up to where values were held when the run had been taken back, and what was saved before.
    """
    rank = Rank(run, 0, 1)
    rank.goes_on(SAVED_AT)
    saved = rank.scheduler.state_dict()
    rank.goes_on(OPERATED_AT - SAVED_AT)
    torch.distributed.barrier()
    if rank.number == 0:
        with Client() as client:
            client.rollback_run(run, BACK_TO, expected_revision=1, reason="the loss exploded", schedule=AFTER)
    torch.distributed.barrier()
    held = rank.held_until()
    with pytest.raises(RunFenced, match="taken back to step 45"):
        rank.goes_on(20_000)
    torch.distributed.barrier()
    return rank.training.used, held, saved


def train_on(run: str, state: dict[str, Any]) -> list[Row]:
    rank = Rank(run, 0, 1)
    rank.scheduler.load_state_dict(state)
    rank.goes_on(STEPS - SAVED_AT)
    return rank.training.used


def test_a_rollback_under_ranks_with_windows_of_different_length_leaves_each_on_one_branch(
    there: dict[str, str], tmp_path: Path, client: Client, run: str
) -> None:
    ranks = as_ranks(2, in_group, tmp_path / "first", train_and_roll_back, run, **there)
    (first, short, state), (second, long, _) = ranks
    assert short == OPERATED_AT + 1 < long, "the windows differ"
    assert first == second
    assert first == alone(BEFORE, len(first))
    assert long <= len(first), "each uses up what was committed"

    again = as_ranks(2, in_group, tmp_path / "second", train_on, run, state, **there)
    old, new = alone(BEFORE, STEPS), alone(AFTER, STEPS)
    assert again == [old[SAVED_AT : BACK_TO + 1] + new[BACK_TO + 1 :]] * 2
    assert client.get_run(run).branch == 2

"""A schedule that cannot go on: its rows end at the step, the error is told there, and edits mend it."""

from __future__ import annotations

import warnings

import pytest
import torch
from torch.optim import lr_scheduler

from lrkeeper import Client
from lrkeeper import schedules as S
from lrkeeper.errors import ScheduleFails
from lrkeeper.schedules.cursor import Failure
from tests.protocol import jobs
from tests.protocol.watched import Watched

NESTED = S.SequentialLR.unchecked(
    schedulers=(S.StepLR(2, gamma=0.5), S.SequentialLR((S.StepLR(3),), ())), milestones=(10,)
)


def torch_nested(optimizer: torch.optim.Optimizer) -> lr_scheduler.LRScheduler:
    inner = lr_scheduler.SequentialLR(optimizer, [lr_scheduler.StepLR(optimizer, 3)], [])
    first = lr_scheduler.StepLR(optimizer, 2, gamma=0.5)
    return lr_scheduler.SequentialLR(optimizer, [first, inner], [10])


def test_the_rows_end_before_the_step_and_the_error_names_it(client: Client) -> None:
    place = jobs.begun(client, schedule=NESTED)
    window = jobs.ask(client, place, 1, 50)
    assert window.failure is not None
    assert (window.failure.step, window.failure.type, window.frontier) == (10, "NotImplementedError", 10)
    assert jobs.bits(window.table) == jobs.torch_bits(torch_nested, 9)[1:] + jobs.bits(
        jobs.ask(client, place, 9).table
    )
    assert [block.table.end_step for block in client.list_blocks(place.run)] == [10]


def test_torch_ends_at_the_same_step_with_the_same_exception() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert len(jobs.torch_bits(torch_nested, 9)) == 9
        with pytest.raises(NotImplementedError):
            jobs.torch_bits(torch_nested, 11)


def test_a_step_size_of_zero_ends_at_the_first_step(client: Client) -> None:
    place = jobs.begun(client, schedule=S.StepLR.unchecked(step_size=0))
    window = jobs.ask(client, place, 1, 5)
    assert window.table is None
    assert window.frontier == 1
    assert window.failure is not None
    assert (window.failure.step, window.failure.type) == (1, "ZeroDivisionError")
    with pytest.raises(ZeroDivisionError):
        jobs.torch_bits(lambda o: lr_scheduler.StepLR(o, 0), 3)


def test_asking_again_gives_the_same_error_and_changes_nothing(watched: Watched) -> None:
    place = jobs.begun(watched.client, schedule=NESTED)
    first = jobs.ask(watched.client, place, 1, 50)
    for step, count in ((10, 1), (10, 100), (5, 6), (60, 1)):
        refusing = jobs.ask(watched.client, place, step, count)
        assert refusing.failure == first.failure
        assert refusing.frontier == 10
        assert (refusing.table is None) == (step >= 10)


def test_the_error_is_not_told_before_it_is_reached(client: Client) -> None:
    place = jobs.begun(client, schedule=NESTED)
    assert jobs.ask(client, place, 1, 9).failure is None
    assert jobs.ask(client, place, 3, 4).failure is None
    assert jobs.ask(client, place, 10).failure is not None


def test_an_edit_at_the_step_lets_the_run_go_on(client: Client) -> None:
    place = jobs.begun(client, schedule=NESTED)
    jobs.ask(client, place, 1, 50)
    edited = client.edit_run(place.run, jobs.SLOW, expected_revision=1, reason="it cannot go on")
    assert (edited.effective_step, edited.failure) == (10, None)
    window = jobs.ask(client, place, 10, 5)
    assert window.failure is None
    assert jobs.bits(window.table) == jobs.torch_bits(jobs.torch_step(0.999), 15)[10:]


def test_an_edit_that_fails_before_it_acts_is_refused(watched: Watched) -> None:
    place = jobs.stepped(watched.client, jobs.begun(watched.client), 20)
    checked = codec_checked()

    def edit() -> object:
        return watched.client.edit_run(place.run, checked, expected_revision=1, reason="to see it refused")

    with pytest.raises(ScheduleFails, match="cannot get beyond step 9") as caught:
        edit()
    assert caught.value.details == {"step": "10"}
    run = watched.client.get_run(place.run)
    assert (run.revision, run.edits, run.schedule) == (1, (), jobs.HALVING)


@pytest.mark.parametrize(("at_step", "rows"), [(8, 3), (9, 2), (10, 1)])
def test_an_edit_that_fails_once_it_acts_is_taken_and_says_so(
    client: Client, at_step: int, rows: int
) -> None:
    """Until it gets there another edit may mend it."""
    place = jobs.begun(client)
    edited = client.edit_run(
        place.run, codec_checked(), expected_revision=1, reason="a while yet", at_step=at_step
    )
    assert isinstance(edited.failure, Failure)
    assert (edited.failure.step, edited.preview.first_step, edited.preview.count) == (10, at_step - 1, rows)
    window = jobs.ask(client, place, 1, 50)
    assert window.frontier == 10
    assert jobs.ask(client, place, 10, 1).failure == edited.failure


def codec_checked() -> S.Schedule:
    """Return a definition that passes every check and fails at step 10."""
    return S.SequentialLR((S.StepLR(2, gamma=0.5), S.SequentialLR((S.StepLR(3),), ())), (10,))

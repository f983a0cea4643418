"""A server that answers wrongly: the client says so, and the optimizer is as it was."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from typing import Any

import pytest

from lrkeeper import Client, RemoteLR, lr_scheduler, views
from lrkeeper.errors import BadAnswer, LrkeeperError, Stalled
from lrkeeper.v1 import run_service_pb2
from tests.client.relay import Relay, sign
from tests.client.training import DEFINITIONS, Training, undisturbed

Answer = run_service_pb2.NextLrResponse
LRS = (0.1, 0.02)


def doubles(*values: float) -> bytes:
    return struct.pack(f"<{len(values)}d", *values)


def too_many_values(answer: Any) -> None:
    answer.values.columns.append(doubles(0.5))


def too_many_steps(answer: Any) -> None:
    answer.values.count = 2
    answer.values.columns[:] = [column * 2 for column in answer.values.columns]
    sign(answer.values)


def no_steps(answer: Any) -> None:
    answer.values.count = 0
    answer.values.columns[:] = [b"" for _ in answer.values.columns]
    sign(answer.values)


def a_huge_count(answer: Any) -> None:
    answer.values.count = 2**32 - 1


def a_nan(answer: Any) -> None:
    answer.values.columns[0] = doubles(math.nan)
    sign(answer.values)


def the_step_before(answer: Any) -> None:
    answer.values.first_step -= 1
    sign(answer.values)


def the_step_after(answer: Any) -> None:
    answer.values.first_step += 1
    sign(answer.values)


def a_wrong_checksum(answer: Any) -> None:
    answer.values.crc32 ^= 1


def a_flipped_bit(answer: Any) -> None:
    first = bytearray(answer.values.columns[0])
    first[0] ^= 1
    answer.values.columns[0] = bytes(first)


def a_column_cut_short(answer: Any) -> None:
    answer.values.columns[0] = answer.values.columns[0][:-1]


def another_track(answer: Any) -> None:
    answer.values.tracks[:] = ["momentum"]
    sign(answer.values)


def a_track_more(answer: Any) -> None:
    answer.values.tracks.append("momentum")
    answer.values.columns.extend([doubles(0.9), doubles(0.8)])
    answer.values.index[:] = [0, 1, 2, 3]
    sign(answer.values)


def a_group_more(answer: Any) -> None:
    answer.values.groups = 3
    answer.values.columns.append(doubles(0.5))
    answer.values.index[:] = [0, 1, 2]
    sign(answer.values)


def a_group_less(answer: Any) -> None:
    answer.values.groups = 1
    del answer.values.columns[1:]
    answer.values.index[:] = [0]
    sign(answer.values)


def a_column_that_is_not_there(answer: Any) -> None:
    answer.values.index[:] = [0, 7]


def a_schedule_of_an_unknown_kind(answer: Any) -> None:
    answer.revision += 1
    answer.schedule.SetInParent()


HOSTILE: list[Callable[[Any], None]] = [
    too_many_values,
    too_many_steps,
    no_steps,
    a_huge_count,
    a_nan,
    the_step_before,
    the_step_after,
    a_wrong_checksum,
    a_flipped_bit,
    a_column_cut_short,
    another_track,
    a_track_more,
    a_group_more,
    a_group_less,
    a_column_that_is_not_there,
    a_schedule_of_an_unknown_kind,
]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_wrong_answer_to_a_step_changes_nothing(relay: Relay, hostile: Callable[[Any], None]) -> None:
    training = Training(*LRS)
    scheduler = lr_scheduler.StepLR(training.optimizer, 2, gamma=0.7)
    training.epochs(scheduler, 1)
    training.update()
    before = scheduler.state_dict(), training.lrs(), scheduler.get_last_lr()

    relay.alter["NextLr"] = hostile
    for _ in range(2):
        with pytest.raises(BadAnswer):
            scheduler.step()
    assert (scheduler.state_dict(), training.lrs(), scheduler.get_last_lr()) == before

    # The next good answer is taken as if nothing had been.
    relay.alter.clear()
    scheduler.step()
    training.epochs(scheduler, 3)
    assert training.used == undisturbed("StepLR", 5, *LRS)


@pytest.mark.parametrize("hostile", [h for h in HOSTILE if h is not a_schedule_of_an_unknown_kind])
def test_a_wrong_answer_to_the_opening_changes_nothing(relay: Relay, hostile: Callable[[Any], None]) -> None:
    training = Training(*LRS)
    scheduler = lr_scheduler.StepLR(training.optimizer, 2, gamma=0.7)
    before = scheduler.state_dict(), training.lrs()
    relay.alter["AcquireRun"] = hostile
    for _ in range(2):
        with pytest.raises(BadAnswer):
            training.update()
    assert (scheduler.state_dict(), training.lrs()) == before
    assert training.used == []
    relay.alter.clear()
    assert training.epochs(scheduler, 3) == undisturbed("StepLR", 3, *LRS)


def test_a_checkpoint_that_is_answered_with_another_step_is_not_gone_on_from(relay: Relay, run: str) -> None:
    first = Training()
    scheduler = RemoteLR(first.optimizer, DEFINITIONS["StepLR"], run=run)
    first.epochs(scheduler, 5)
    second = Training()
    resumed = RemoteLR(second.optimizer, DEFINITIONS["StepLR"], run=run)
    state = scheduler.state_dict()
    del scheduler
    resumed.load_state_dict(state)

    def three_steps_back(answer: Any) -> None:
        answer.resume_step -= 3
        answer.values.first_step -= 3
        sign(answer.values)

    relay.alter["AcquireRun"] = three_steps_back
    with pytest.raises(BadAnswer):
        second.update()
    assert second.used == []


def test_bytes_that_are_no_message_change_nothing(relay: Relay) -> None:
    training = Training()
    scheduler = lr_scheduler.StepLR(training.optimizer, 2)
    training.epochs(scheduler, 1)
    before = scheduler.state_dict(), training.lrs()
    relay.alter["NextLr"] = lambda _: b"\xff" * 40
    with pytest.raises(LrkeeperError):
        scheduler.step()
    assert (scheduler.state_dict(), training.lrs()) == before


def test_a_server_that_never_gets_to_the_step_does_not_hold_the_job_for_ever(relay: Relay) -> None:
    training = Training()
    scheduler = RemoteLR(training.optimizer, DEFINITIONS["StepLR"], max_stall=0.3)
    training.epochs(scheduler, 1)
    training.update()
    before = scheduler.state_dict(), training.lrs()
    relay.alter["NextLr"] = lambda answer: answer.ClearField("values")
    with pytest.raises(Stalled, match="has stayed at step"):
        scheduler.step()
    assert (scheduler.state_dict(), training.lrs()) == before


def test_a_client_that_asks_for_several_steps_takes_no_more(relay: Relay, run: str) -> None:
    group = views.Group(None, "float64", {"lr": 0.1}, {"lr": 0.1})
    with Client(relay.address) as client:
        place = client.acquire_run(views.Start(run, "a-start", (group,), DEFINITIONS["StepLR"]))
        relay.alter["NextLr"] = too_many_steps
        with pytest.raises(BadAnswer, match=r"the server gave 2 steps from 1; asked for were 1 from 1"):
            client.next_lr(place, 1, 1, applied_step=0, revision=1)
        relay.alter.clear()
        window = client.next_lr(place, 1, 6, applied_step=0, revision=1)
        assert window.table is not None
        assert 1 <= window.table.count <= 6

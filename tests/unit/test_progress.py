"""What a job tells of its progress, as text and message; and how evaluation carries it on."""

from __future__ import annotations

from typing import Any

import pytest

from lrkeeper import schedules as S
from lrkeeper.schedules.composable.closed_form import counted
from lrkeeper.schedules.cursor import FAILURES, Cursor, begin, extend
from lrkeeper.schedules.given import Given, NotTold, falling
from lrkeeper.schedules.numbers import Row
from lrkeeper.schedules.pace import Pace, near, paced
from lrkeeper.v1.run_pb2 import Given as GivenMessage

BASE: Row = {"lr": (0.1,)}
TOKENS = S.Ramp(over=S.Span(tokens=1000), begin=S.Level(relative=1), end=S.Level(absolute=0))


@pytest.mark.parametrize(
    "progress", [{"tokens": 0.0}, {"epochs": 1 / 3, "samples": 2.0**60, "tokens": 1e13}, None]
)
def test_progress_survives_text_and_message(progress: dict[str, float] | None) -> None:
    given = Given(metric=0.5, progress=progress)
    assert Given.from_json(given.to_json()) == given
    assert Given.from_message(GivenMessage.FromString(given.to_message().SerializeToString())) == given


@pytest.mark.parametrize(
    "progress", ['{"words": 1}', '{"tokens": -1}', '{"tokens": NaN}', '{"tokens": "5"}', "5"]
)
def test_text_that_is_no_progress_is_refused(progress: str) -> None:
    with pytest.raises((ValueError, TypeError, AttributeError)):
        Given.from_json(f'{{"progress": {progress}}}')
    with pytest.raises(ValueError, match="not a cursor of these param groups"):
        Cursor.from_json(f'[0,0,{{"lr":[0.1]}},{{"progress":{progress}}}]', BASE)


def test_only_what_is_told_again_can_go_down() -> None:
    before = {"tokens": 5.0, "samples": 3.0}
    assert falling(before, {}) is falling({}, before) is falling(before, {"tokens": 5.0}) is None
    assert falling(before, {"epochs": 0.0, "samples": 4.0}) is None
    found = falling(before, {"tokens": 6.0, "samples": 2.0})
    assert found is not None
    assert found[0] == "samples"


def test_a_cursor_has_the_totals_told_last_and_its_text_too() -> None:
    at = begin(TOKENS, BASE, BASE)
    assert at.to_json(BASE) == '[0,0,{"lr":[0.1]}]'
    for told in ({"tokens": 10.0, "epochs": 0.5}, {"tokens": 20.0}):
        at, _, failure = extend(TOKENS, BASE, at, 1, Given(progress=told))
        assert failure is None
        assert Cursor.from_json(at.to_json(BASE), BASE) == at
    assert at.progress == {"tokens": 20.0, "epochs": 0.5}
    after, _, failure = extend(TOKENS, BASE, at, 1)
    assert (after, failure and failure.type) == (at, "NotTold")


def test_a_step_that_was_not_told_fails_as_a_value_error_of_its_own() -> None:
    assert FAILURES["NotTold"] is NotTold
    assert issubclass(NotTold, ValueError)


def test_any_step_of_a_schedule_that_counts_tokens_is_reached_without_those_before() -> None:
    now: Row = {"lr": (0.7,)}
    assert TOKENS.at(12, BASE, now) == (12, now)
    assert TOKENS.at(0, BASE, now) == (0, BASE)
    at = Cursor(12, 12, now)
    _, (row,), _ = extend(TOKENS, BASE, at, 1, Given(progress={"tokens": 500.0}))
    assert row == {"lr": (0.05,)}


def test_what_a_definition_counts_is_found_however_deep() -> None:
    assert counted(S.StepLR(3)) == counted(S.Ramp(over=S.Span(fraction=0.5))) == ()
    assert counted(S.Sequence([S.Stage(S.Plateau(TOKENS))])) == ("tokens",)
    assert counted(S.Sequence([S.Stage(S.Constant(), over=S.Span(epochs=2)), S.Stage(S.Constant())])) == (
        "epochs",
    )


def test_a_stage_that_is_given_a_metric_counts_steps() -> None:
    warmup = S.Stage(S.Constant(), over=S.Span(tokens=5))
    with pytest.raises(
        ValueError, match="or one that is given a metric, counts steps, and the spans are tokens"
    ):
        S.Sequence([warmup, S.Stage(S.Plateau())]).check_whole()


# The pace of a preview.


def test_a_pace_gives_whole_epochs_at_their_steps() -> None:
    pace = Pace(steps_per_epoch=49, tokens_per_step=3)
    assert [(pace.at(49 * n).progress or {})["epochs"] for n in range(200)] == list(range(200))
    assert pace.at(5).progress == {"epochs": 5 / 49, "tokens": 15.0}


@pytest.mark.parametrize("schedule", [TOKENS, S.Plateau(TOKENS, end=1, begin=0), S.StepLR(3)])
def test_a_preview_may_begin_anywhere(schedule: S.Schedule) -> None:
    pace: Any = Pace(tokens_per_step=30)
    at = begin(schedule, BASE, BASE)
    _, rows, failure = paced(schedule, BASE, at, 40, pace)
    assert failure is None
    late = near(schedule, BASE, at, 30)
    late, _, _ = paced(schedule, BASE, late, 29 - late.step, pace)
    assert paced(schedule, BASE, late, 5, pace)[1] == rows[29:34]

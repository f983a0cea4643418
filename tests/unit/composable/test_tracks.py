"""Schedules of several hyperparameters."""

from __future__ import annotations

from typing import Any

import pytest

from lrkeeper import schedules as S
from lrkeeper.schedules import codec, cursor
from lrkeeper.schedules.composable.closed_form import counted
from lrkeeper.schedules.composable.resolved import Resolved, resolved
from lrkeeper.schedules.given import NOTHING, Given
from lrkeeper.schedules.numbers import F32, Base, Row
from lrkeeper.schedules.schedule import Schedule
from lrkeeper.schedules.shape import DefinitionError

NAMES = ("encoder.0", "encoder.10", "head", None)
BASE = Base(
    {"lr": (0.1, 0.2, 0.3, 0.4), "weight_decay": (0.01, 0.02, 0.03, 0.04), "momentum": (0.9,) * 4}, NAMES
)
HALF = S.Constant(S.Level(relative=0.5))
ZERO = S.Level(absolute=0)


def rows(schedule: Schedule, steps: int, base: Row = BASE, given: Given = NOTHING) -> list[Row]:
    """Return the rows of the steps from 0 on, each from the one before."""
    at = cursor.begin(schedule, base, base)
    found = [at.row]
    for _ in range(steps - 1):
        at = cursor.Cursor.from_json(at.to_json(base), base)
        at, more, failure = cursor.extend(schedule, base, at, 1, given)
        assert failure is None, failure
        found += more
    return found


def column(schedule: Schedule, steps: int, track: str, group: int = 0, base: Row = BASE) -> list[float]:
    return [float(row[track][group]) for row in rows(schedule, steps, base)]


TORCH: list[Schedule] = [
    S.StepLR(2, 0.5),
    S.CosineAnnealingLR(5, 1e-3),
    S.OneCycleLR(0.3, 30, cycle_momentum=False),
    S.SequentialLR([S.LinearLR(), S.CosineAnnealingWarmRestarts(3)], [4]),
    S.MultiStepLR([2]).then(S.StepLR(1), at=4),
    S.Ramp(S.Span(steps=4), end=ZERO, ease="cosine"),
]


@pytest.mark.parametrize("schedule", TORCH)
@pytest.mark.parametrize("track", ["lr", "weight_decay"])
def test_a_track_has_the_bits_of_its_schedule_alone(schedule: Schedule, track: str) -> None:
    alone = rows(schedule, 12, {"lr": BASE[track]})
    there = rows(S.Tracks([S.Track(schedule, name=track)]), 12)
    assert [row[track] for row in there] == [row["lr"] for row in alone]


@pytest.mark.parametrize("schedule", TORCH)
def test_a_scale_multiplies_the_result_and_not_what_the_schedule_goes_on_from(schedule: Schedule) -> None:
    alone = rows(schedule, 12, {"lr": BASE["lr"]})
    for scale in (2.5, 0.0, -1.0):
        scaled = rows(S.Tracks([S.Track(schedule, scale=scale)]), 12)
        assert [row["lr"] for row in scaled] == [tuple(v * scale for v in row["lr"]) for row in alone]


def test_what_another_hand_wrote_is_gone_on_from_beneath_the_scale() -> None:
    schedule = S.Tracks([S.Track(S.ExponentialLR(0.5), scale=2.0)])
    seen = {"lr": (8.0, 0.4, 0.6, 0.8), "weight_decay": BASE["weight_decay"], "momentum": BASE["momentum"]}
    at = cursor.begin(schedule, BASE, BASE)
    _, [row], _ = cursor.extend(schedule, BASE, at, 1, Given(seen=seen))
    assert row["lr"] == (4.0, 0.2, 0.3, 0.4)


def test_the_most_specific_track_rules() -> None:
    schedule = S.Tracks(
        [
            S.Track(S.Constant(S.Level(absolute=1))),
            S.Track(S.Constant(S.Level(absolute=2)), group="*"),
            S.Track(S.Constant(S.Level(absolute=3)), group="encoder.*"),
            S.Track(S.Constant(S.Level(absolute=4)), group="encoder.10"),
            S.Track(S.Constant(S.Level(absolute=5)), group="2"),
        ]
    )
    assert rows(schedule, 1)[0]["lr"] == (3, 4, 5, 1)


def test_a_group_without_a_name_is_matched_by_its_index_or_by_all() -> None:
    base = {track: values[:1] for track, values in BASE.items()}
    assert column(S.Tracks([S.Track(HALF, group="*")]), 1, "lr", base=base) == [0.1]
    assert column(S.Tracks([S.Track(HALF, group="None")]), 1, "lr", base=base) == [0.1]
    assert column(S.Tracks([S.Track(HALF, group="0")]), 1, "lr", base=base) == [0.05]


def test_two_equally_specific_tracks_on_a_group_are_refused_when_it_is_there() -> None:
    schedule = S.Tracks([S.Track(HALF, group="encoder.*"), S.Track(HALF, group="*coder.0*")])
    assert column(schedule, 1, "lr", base=Base({"lr": (1.0,)}, ["encoder.2"])) == [0.5]
    with pytest.raises(ValueError, match=r"param group 0 \('encoder.0'\): 'encoder.\*' and '\*coder.0\*'"):
        cursor.begin(schedule, BASE, BASE)


def test_a_group_that_no_track_matches_keeps_its_base_value() -> None:
    now = {**BASE, "lr": (7.0,) * 4, "momentum": (0.5,) * 4}
    row = cursor.begin(S.Tracks([S.Track(HALF, group="head")]), BASE, now).row
    assert row["lr"] == (0.1, 0.2, 0.15, 0.4)
    assert row["momentum"] == (0.5,) * 4  # no track has that name


def test_a_base_replaces_the_groups_own() -> None:
    schedule = S.Tracks([S.Track(S.StepLR(1, 0.5), base=8.0, scale=2.0), S.Track(HALF, "momentum", base=0.5)])
    assert column(schedule, 3, "lr") == [16.0, 8.0, 4.0]
    assert column(schedule, 1, "momentum") == [0.25]


def test_a_link_follows_the_groups_other_tracks() -> None:
    schedule = S.Tracks(
        [
            S.Track(S.ExponentialLR(0.5)),
            S.Track(name="weight_decay", link="base_weight_decay * lr / base_lr"),
            S.Track(name="weight_decay", link="momentum + 1", group="head", scale=2.0),
            S.Track(HALF, "momentum", group="head"),
        ]
    )
    assert [row["weight_decay"] for row in rows(schedule, 2)] == [
        (0.01, 0.02, 2.9, 0.04),
        (0.005, 0.01, 2.9, 0.02),
    ]


def test_links_that_go_in_a_circle_are_refused_whatever_groups_they_are_for() -> None:
    with pytest.raises(ValueError, match="in a circle: momentum → weight_decay → momentum"):
        S.Tracks(
            [
                S.Track(name="weight_decay", link="momentum + 1", group="head"),
                S.Track(name="momentum", link="1 - weight_decay", group="0"),
            ]
        )


def test_links_are_evaluated_after_what_they_need() -> None:
    schedule = S.Tracks(
        [
            S.Track(name="weight_decay", link="1 - momentum"),
            S.Track(name="momentum", link="lr * 2 + base_lr"),
            S.Track(S.ExponentialLR(0.5), base=0.2),
        ]
    )
    assert column(schedule, 2, "momentum", 1) == pytest.approx([0.6, 0.4])
    assert column(schedule, 2, "weight_decay", 1) == pytest.approx([0.4, 0.6])


def test_a_link_without_a_value_says_where() -> None:
    schedule = S.Tracks([S.Track(S.Ramp(S.Span(steps=2), end=ZERO)), S.Track(name="momentum", link="1 / lr")])
    at = cursor.begin(schedule, BASE, BASE)
    _, _, failure = cursor.extend(schedule, BASE, at, 5)
    assert failure is not None
    assert (failure.step, failure.type) == (2, "ValueError")
    assert r"tracks[1].link in param group 0: 1.0 / 0.0: division by zero" in failure.message


def test_only_the_lr_of_a_float32_group_is_float32() -> None:
    base = Base({"lr": (F32(0.1), 0.1), "weight_decay": (0.1, 0.1)}, [None, None])
    schedule = S.Tracks(
        [S.Track(HALF, scale=0.1), S.Track(HALF, "weight_decay"), S.Track(HALF, "lr", group="1")]
    )
    row = rows(schedule, 2, base)[1]
    assert row["lr"] == (F32(0.05) * 0.1, 0.05)
    assert [type(value) for value in row["lr"]] == [F32, float]
    assert row["weight_decay"] == (0.05, 0.05)
    linked = S.Tracks([S.Track(link="weight_decay / 3"), S.Track(HALF, "weight_decay")])
    assert rows(linked, 1, base)[0]["lr"] == (F32(0.05 / 3), 0.05 / 3)


def test_fractions_are_of_the_total() -> None:
    stages = [
        S.Stage(S.Ramp(S.Span(fraction=0.25), begin=ZERO), over=S.Span(fraction=0.25)),
        S.Stage(S.Ramp(S.Span(fraction=0.75), end=ZERO)),
    ]
    schedule = S.Tracks([S.Track(S.Sequence(stages))], total=S.Span(steps=8))
    assert column(schedule, 9, "lr") == pytest.approx([0, 0.05, 0.1, 1 / 12, 1 / 15, 0.05, 1 / 30, 1 / 60, 0])
    assert codec.decode(codec.encode(schedule)) == schedule


TOTALLED: list[Schedule] = [
    S.Expression("base_lr * (1 - progress)"),
    S.Product([S.Expression("1 - step / total"), S.Constant()]),
    S.Product([S.Expression("1 - progress"), S.ConstantLR(1.0, 1)]),
    S.Plateau(S.Expression("base_lr * (1 - progress)")),
    S.Sequence(
        [S.Stage(S.Expression("base_lr * (1 - progress)"), over=S.Span(steps=9)), S.Stage(S.StepLR(2))]
    ),
]


@pytest.mark.parametrize("schedule", TOTALLED)
def test_expressions_know_the_total_wherever_they_stand(schedule: Schedule) -> None:
    definition = S.Tracks([S.Track(schedule)], total=S.Span(steps=8))
    codec.decode(codec.encode(definition))
    found = rows(definition, 4, given=Given(metric=1.0))
    assert [row["lr"][0] for row in found] == pytest.approx([0.1, 0.0875, 0.075, 0.0625])
    with pytest.raises(DefinitionError, match="no total is given"):
        codec.decode(codec.encode(S.Tracks([S.Track(schedule)])))


def test_a_total_of_tokens_is_what_fractions_of_tokens_are_of() -> None:
    ramp = S.Ramp(S.Span(fraction=0.5), end=0)
    definition = S.Tracks([S.Track(ramp), S.Track(S.StepLR(1, 0.5), "momentum")], total=S.Span(tokens=8000))
    given = Given(progress={"tokens": 1000.0})
    assert rows(definition, 2, given=given)[1]["lr"] == pytest.approx((0.075, 0.15, 0.225, 0.3))
    assert rows(definition, 2, given=given)[1]["momentum"] == (0.45,) * 4


def test_any_step_is_reached_at_once_where_all_tracks_are_closed() -> None:
    schedule = S.Tracks(
        [
            S.Track(S.Ramp(S.Span(steps=100), end=ZERO), scale=3.0),
            S.Track(name="weight_decay", link="lr / base_lr"),
        ]
    )
    assert schedule.closed
    assert schedule.at(70, BASE, BASE) == ([70, None], rows(schedule, 71)[70])
    recursive = S.Tracks([S.Track(S.Constant()), S.Track(S.StepLR(3), "momentum")])
    assert not recursive.closed
    assert recursive.at(3, BASE, BASE) is None


def test_a_metric_reaches_every_track() -> None:
    plateau = S.ReduceLROnPlateau(patience=1, factor=0.5)
    schedule = S.Tracks([S.Track(plateau), S.Track(plateau, "weight_decay", scale=3.0)])
    found = rows(schedule, 5, given=Given(metric=1.0))
    alone = rows(plateau, 5, {"lr": BASE["lr"]}, given=Given(metric=1.0))
    assert [row["lr"] for row in found] == [row["lr"] for row in alone]
    assert found[4]["weight_decay"][0] == 0.01 / 2 * 3.0


def test_groups_that_come_later_are_scheduled_beside_the_others() -> None:
    schedule = S.Tracks([S.Track(S.StepLR(2, 0.5), scale=4.0), S.Track(S.StepLR(3), group="late")])
    early = Base({"lr": (0.1,)}, ["early"])
    more = Base({"lr": (0.1, 0.6, 8.0)}, ["early", "late", "other"])
    at, *_ = cursor.extend(schedule, early, cursor.begin(schedule, early, early), 3)
    grown = cursor.Cursor(3, at.memory, {"lr": (*at.row["lr"], 0.6, 8.0)})
    _, found, _ = cursor.extend(schedule, more, grown, 3)
    assert [row["lr"] for row in found] == [
        (0.1, 0.6, 4.0),
        (0.1, 0.6, 4.0),
        (0.05, 0.06, 2.0),
    ]


REFUSED: list[tuple[Any, str]] = [
    ({"tracks": []}, "tracks has 0 entries; it must have from 1"),
    ({"tracks": [S.StepLR(2)]}, r"tracks\[0\] is StepLR"),
    ({"tracks": [S.Track()]}, r"tracks\[0\] has nothing; give one of schedule, link"),
    ({"tracks": [S.Track(HALF, link="1")]}, r"tracks\[0\] has schedule and link; give one of schedule, link"),
    (
        {"tracks": [S.Track(HALF, "weight decay")]},
        r"tracks\[0\].name is 'weight decay'; it must be of letters",
    ),
    ({"tracks": [S.Track(HALF), S.Track(HALF, "base_lr")]}, r"tracks\[1\].name is 'base_lr', which means"),
    ({"tracks": [S.Track(HALF), S.Track(HALF)]}, r"tracks\[1\] and tracks\[0\] are both of lr in all groups"),
    ({"tracks": [S.Track(HALF, base=float("nan"))]}, r"tracks\[0\].base is nan; it must be a finite number"),
    ({"tracks": [S.Track(HALF, scale=float("inf"))]}, r"tracks\[0\].scale is inf"),
    ({"tracks": [S.Track(link="2 *")]}, r"tracks\[0\].link is '2 \*'"),
    (
        {"tracks": [S.Track(HALF), S.Track(name="momentum", link="beta2")]},
        r"tracks\[1\].link is 'beta2': unknown name 'beta2' .* known names: base_lr, base_momentum, ",
    ),
    ({"tracks": [S.Track(link="lr")]}, "in a circle: lr → lr; one of them must be a schedule"),
    ({"tracks": [S.Track(HALF)], "total": S.Span(fraction=1)}, "total is a fraction"),
    ({"tracks": [S.Track(S.Tracks([S.Track(HALF)]))]}, "tracks stands within it; it must be the outermost"),
]


@pytest.mark.parametrize(("arguments", "says"), REFUSED)
def test_tracks_refuse(arguments: dict[str, Any], says: str) -> None:
    with pytest.raises((TypeError, ValueError), match=says):
        S.Tracks(**arguments)


def test_no_other_schedule_holds_tracks() -> None:
    tracks = S.Tracks([S.Track(HALF)])
    with pytest.raises(TypeError, match="Sequence: tracks stands within it"):
        S.StepLR(2).then(tracks, at=3)
    member = codec.encode(S.StepLR(2).then(S.StepLR(3), at=3))
    member.sequence.stages[1].schedule.CopyFrom(codec.encode(tracks))
    for checked in (True, False):
        with pytest.raises(
            DefinitionError, match=r"stages\[1\].schedule: is tracks, within another schedule"
        ):
            codec.decode(member, checked=checked)


def test_a_whole_definition_is_checked_with_its_total() -> None:
    ramp = S.Ramp(over=S.Span(fraction=0.5))
    written = codec.encode(S.Tracks([S.Track(HALF), S.Track(ramp, "momentum")]))
    with pytest.raises(
        DefinitionError, match=r"tracks\[1\].schedule: a span is 0.5 of the total, and no total"
    ):
        codec.decode(written)


def test_a_run_without_the_hyperparameter_cannot_take_it() -> None:
    schedule = S.Tracks([S.Track(HALF), S.Track(HALF, "beta2")])
    with pytest.raises(
        ValueError, match="the definition moves beta2, and the param groups have lr and weight_decay"
    ):
        cursor.begin(schedule, BASE, BASE)


def test_the_tracks_that_move_have_the_lr_first() -> None:
    assert S.Tracks([S.Track(HALF, "momentum")]).moves == ("lr", "momentum")


def test_the_resolved_table_says_what_rules_each_group() -> None:
    schedule = S.Tracks(
        [
            S.Track(HALF),
            S.Track(S.StepLR(3), group="encoder.*", base=0.7, scale=2.0),
            S.Track(name="weight_decay", link="lr", group="0"),
        ]
    )
    base = Base({"lr": (0.1, 0.2), "weight_decay": (0.3, 0.4)})
    assert resolved(schedule, ["encoder.1", None], base) == [
        Resolved(0, "encoder.1", "lr", 0.7, 2.0, S.StepLR(3)),
        Resolved(0, "encoder.1", "weight_decay", 0.3, 1.0, "lr"),
        Resolved(1, None, "lr", 0.2, 1.0, HALF),
        Resolved(1, None, "weight_decay", 0.4, 1.0, None),
    ]
    assert [row.base for row in resolved(schedule, ["encoder.1", None])] == [0.7, None, None, None]


def test_many_steps_at_once_are_those_one_by_one() -> None:
    schedule = S.Tracks(
        [
            S.Track(S.Ramp(10, begin=0).then(S.Ramp(40, end=0, ease="cosine"), at=10), scale=0.7),
            S.Track(S.Decay(0.5, 7), name="weight_decay", group="1"),
            S.Track(S.Constant(1e-3), group="0", base=0.25),
        ]
    )
    base = Base({"weight_decay": (0.1, 0.2), "lr": (F32(0.1), 0.3)}, [None, None])
    start = cursor.begin(schedule, base, base)
    reached, rows, failure = cursor.extend(schedule, base, start, 60)
    assert failure is None
    one, singly = start, []
    for _ in range(60):
        one, row, _ = cursor.extend(schedule, base, one, 1)
        singly += row
    assert (reached.to_json(base), rows) == (one.to_json(base), singly)
    assert [list(row) for row in rows] == [["weight_decay", "lr"]] * 60
    assert all(type(row["lr"][0]) is F32 for row in rows)


def test_the_step_that_fails_is_told_also_where_many_are_asked_for() -> None:
    schedule = S.Expression("1 / (step - 7)")
    base: Row = {"lr": (0.1,)}
    reached, rows, failure = cursor.extend(schedule, base, cursor.begin(schedule, base, base), 20)
    assert failure is not None
    assert (reached.step, len(rows), failure.step) == (6, 6, 7)


def test_a_formula_is_tried_over_the_range_that_the_total_says() -> None:
    written = {
        "total": 3200,
        "lr": {"stages": [{"hold": 1, "over": 1000}, {"expression": "base * (2100 - step) ** 0.5"}]},
    }
    with pytest.raises(DefinitionError, match="there is no value when 2200 steps have passed"):
        codec.from_dict(written)
    assert codec.from_dict({**written, "total": 2100}).closed


def test_what_a_scale_makes_infinite_is_no_value() -> None:
    huge = S.Tracks([S.Track(S.Ramp(3, begin=1.0, end=1e300), scale=1e200)])
    base: Row = {"lr": (0.1,)}
    start = cursor.begin(huge, base, base)
    for count in (1, 5):
        reached, rows, failure = cursor.extend(huge, base, start, count)
        assert failure is not None
        assert (reached.step, rows, "no finite number" in failure.message) == (0, [], True)


def test_what_a_formula_names_is_counted() -> None:
    assert counted(S.Expression("base_lr * exp(-tokens / 1000)")) == ("tokens",)
    assert counted(S.Tracks([S.Track(S.Expression("base * 0.9 ** epoch"))])) == ("epochs",)

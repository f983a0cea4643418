"""Numbers that a run gives to a definition."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lrkeeper import schedules as S
from lrkeeper.schedules import codec
from lrkeeper.schedules.composable.parameters import filled
from lrkeeper.schedules.shape import DefinitionError

WARMUP = S.Span(parameter="warmup_steps")
REST = S.Span(parameter="total_steps - warmup_steps")


def decay(final: S.Level) -> S.Schedule:
    """Return a warmup and a decay, in which lengths and the last height are parameters."""
    return S.Sequence(
        [
            S.Stage(S.Ramp(WARMUP, begin=S.Level(absolute=0)), over=WARMUP),
            S.Stage(S.Ramp(REST, end=final)),
        ]
    )


DEFINITION = S.Tracks(
    [S.Track(decay(S.Level(parameter="final")), base_parameter="peak")],
    parameters=[
        S.Parameter("total_steps", description="steps of the training"),
        S.Parameter("warmup_steps", 10),
        S.Parameter("final", 0),
        S.Parameter("peak"),
    ],
)


def test_parameters_become_numbers() -> None:
    found = filled(DEFINITION, {"total_steps": 100, "final": 0.01, "peak": 0.3})
    assert found == S.Tracks(
        [
            S.Track(
                S.Sequence(
                    [
                        S.Stage(S.Ramp(S.Span(steps=10), begin=S.Level(absolute=0)), over=S.Span(steps=10)),
                        S.Stage(S.Ramp(S.Span(steps=90), end=S.Level(absolute=0.01))),
                    ]
                ),
                base=0.3,
            )
        ]
    )
    assert filled(found, {}) is found


def test_a_base_that_is_not_given_is_the_param_groups_own() -> None:
    found = filled(DEFINITION, {"total_steps": 100})
    assert isinstance(found, S.Tracks)
    assert found.tracks[0].base is None
    assert found.tracks[0].base_parameter is None


def test_a_total_may_be_a_parameter() -> None:
    ramp = S.Ramp(S.Span(fraction=0.5))
    definition = S.Tracks(
        [S.Track(ramp)], total=S.Span(parameter="total_steps"), parameters=[S.Parameter("total_steps")]
    )
    assert codec.decode(codec.encode(definition)) == definition
    assert filled(definition, {"total_steps": 8}) == S.Tracks([S.Track(ramp)], total=S.Span(steps=8))


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({}, r"needs a number for total_steps \(steps of the training\)"),
        ({"total_step": 9}, "no parameter 'total_step': it has total_steps, .*; did you mean 'total_steps'"),
        ({"total_steps": float("nan")}, "total_steps is nan; it must be a finite number"),
        ({"total_steps": float("inf")}, "total_steps is inf"),
        ({"total_steps": "9"}, "total_steps is '9'; it must be a finite number"),
        ({"total_steps": 5}, "over.steps is -5.0; it must be a number, above 0"),
    ],
)
def test_numbers_that_do_not_fill_a_definition_are_refused_by_name(
    values: dict[str, float], says: str
) -> None:
    with pytest.raises((TypeError, ValueError), match=says):
        filled(DEFINITION, values)


def test_a_definition_without_parameters_takes_none() -> None:
    assert filled(S.StepLR(3), {}) == S.StepLR(3)
    with pytest.raises(ValueError, match="no parameter 'gamma': it has none"):
        filled(S.StepLR(3), {"gamma": 0.1})


def test_a_level_outside_tracks_has_no_parameters_to_name() -> None:
    with pytest.raises(ValueError, match="'peak' names no parameter of the definition"):
        filled(S.Constant(S.Level(parameter="peak")), {})


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ([S.Parameter("a"), S.Parameter("a")], r"parameters\[1\].name is 'a', which stands twice"),
        ([S.Parameter("total steps")], r"parameters\[0\].name is 'total steps'; it must be of letters"),
        ([S.Parameter("a", float("nan"))], r"parameters\[0\].value is nan"),
        ([S.Parameter("b")], "'a' names no parameter of the definition: unknown name 'a'"),
    ],
)
def test_what_a_definition_declares_is_checked(parameters: list[S.Parameter], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        S.Tracks([S.Track(S.Constant(S.Level(parameter="a")))], parameters=parameters)


def test_a_definition_whose_parameters_all_have_defaults_is_checked_with_them() -> None:
    codec.decode(codec.encode(DEFINITION))  # total_steps has none
    few = replace(DEFINITION, parameters=(S.Parameter("total_steps", 5), *DEFINITION.parameters[1:]))
    with pytest.raises(DefinitionError, match=r"over\.steps is -5\.0"):
        codec.decode(codec.encode(few))

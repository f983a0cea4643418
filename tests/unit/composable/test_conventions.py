"""The conventions in which the libraries differ, each as numbers."""

from __future__ import annotations

import math

import pytest

from lrkeeper import schedules as S
from lrkeeper.schedules import Schedule
from tests.unit.composable.curves import approx, values

ONCE = S.Level(relative=1.0)


@pytest.mark.parametrize(
    ("counting", "begin", "first"),
    [
        (
            "from_zero",
            0,
            [0.0, 0.025, 0.05, 0.075, 0.1],
        ),  # transformers, optax, Keras, Composer, Megatron-LM, timm
        ("from_one", 0, [0.025, 0.05, 0.075, 0.1, 0.1]),  # torchtitan, cosine_warmup_with_min_lr
        ("inside", 0, [0.02, 0.04, 0.06, 0.08, 0.1]),  # NeMo, nanoGPT
        ("to_last", 0.01, [0.01, 0.04, 0.07, 0.1, 0.1]),  # mmengine, ignite
    ],
)
def test_the_first_step_of_a_warmup_of_four_steps(counting: str, begin: float, first: list[float]) -> None:
    assert values(S.Ramp(4, begin=begin, counting=counting), range(5)) == approx(first)


def test_deepspeed_has_the_lowest_value_twice() -> None:
    warmup = S.Warp(S.Ramp(4, begin=0.02), shift=-1)
    assert values(warmup, range(6)) == approx([0.02, 0.02, 0.04, 0.06, 0.08, 0.1])


def after_warmup(curve: Schedule, clock: str = "local", boundary: str = "later") -> S.Sequence:
    return S.Sequence([S.Stage(S.Ramp(4, begin=0), over=4), S.Stage(curve, clock=clock)], boundary=boundary)


@pytest.mark.parametrize(
    ("clock", "at_four"),
    [
        ("local", 0.1),  # transformers, optax, Composer's Linear and Cosine, torch's SequentialLR
        ("outer", 0.06),  # timm without prefix, Composer's MultiStep
    ],
)
def test_the_clock_after_a_warmup(clock: str, at_four: float) -> None:
    fall = after_warmup(S.Ramp(10, begin=ONCE, end=0), clock)
    assert values(fall, [3, 4, 5]) == approx([0.075, at_four, at_four - 0.01])


def test_an_inverse_square_root_is_the_same_by_both_clocks() -> None:
    outer = after_warmup(S.Expression("base * sqrt(4 / step)"), "outer")
    local = after_warmup(S.Power(4))
    assert values(outer, range(40)) == approx(values(local, range(40)))


@pytest.mark.parametrize(
    ("boundary", "at_four"),
    [
        ("later", 0.5),  # most
        ("earlier", 0.1),  # Megatron-LM, NeMo, Keras's PiecewiseConstantDecay
    ],
)
def test_a_boundary_step_belongs_to(boundary: str, at_four: float) -> None:
    assert values(after_warmup(S.Constant(0.5), boundary=boundary), [3, 4, 5]) == approx(
        [0.075, at_four, 0.5]
    )
    points = S.Points([(0, 0.1), (4, 0.5)], interpolation="step", boundary=boundary)
    assert values(points, [3, 4, 5]) == [0.1, at_four, 0.5]
    steps = S.Steps([4], factors=[5], boundary=boundary)
    assert values(steps, [3, 4, 5]) == [0.1, at_four, 0.5]


@pytest.mark.parametrize(
    ("length", "end"),
    [
        (10 - 4, 10),  # including the warmup: transformers, optax, Megatron-LM, Composer
        (10, 14),  # after it: Keras, timm with a prefix
    ],
)
def test_the_length_of_a_decay_with_and_without_its_warmup(length: int, end: int) -> None:
    fall = after_warmup(S.Ramp(length, end=0))
    assert values(fall, [end - 1, end, end + 1]) == approx([0.1 / length, 0.0, 0.0])


def test_after_the_end_a_value_is_held() -> None:
    assert values(S.Ramp(8, end=0.02, ease="cosine"), [8, 9, 10**15]) == [0.02, 0.02, 0.02]


def test_after_the_end_a_wave_goes_on() -> None:
    wave = S.Ramp(8, end=0, ease="cosine", after="extend")  # transformers' cosine, torch's CosineAnnealingLR
    assert values(wave, [12, 16, 24]) == pytest.approx([0.05, 0.1, 0.0])


def test_after_the_end_a_cycle_begins_anew_or_the_least_is_held() -> None:
    fall = S.Ramp(8, end=0, ease="cosine")
    assert values(S.Repeat(fall, 8), [8, 12, 16]) == approx([0.1, 0.05, 0.1])  # Keras's restarts
    assert values(S.Repeat(fall, 8, count=2), [8, 12, 16, 20]) == approx(
        [0.1, 0.05, 0.0, 0.0]
    )  # transformers'


@pytest.mark.parametrize(
    ("gain_on", "cycle"),
    [
        ("peak", [0.05, (0.05 + 0.02) / 2]),  # timm
        ("amplitude", [0.02 + 0.04, 0.02 + 0.02]),  # Keras
        ("both", [0.05, 0.03]),  # fairseq
    ],
)
def test_the_gain_of_a_restart_is_on(gain_on: str, cycle: list[float]) -> None:
    fall = S.Ramp(8, begin=ONCE, end=0.02, ease="cosine")
    assert values(S.Repeat(fall, 8, gain=0.5, gain_on=gain_on), [8, 12]) == approx(cycle)


def test_noam_is_a_formula() -> None:
    noam = S.Expression("512 ** -0.5 * min((step + 1) ** -0.5, (step + 1) * 4000 ** -1.5)")
    expected = [
        1 / math.sqrt(512) * min((s + 1) ** -0.5, (s + 1) * 4000**-1.5) for s in (0, 3998, 3999, 9999)
    ]
    assert values(noam, [0, 3998, 3999, 9999]) == approx(expected)

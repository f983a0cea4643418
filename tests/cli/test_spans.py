"""Equal steps as one span, and curves."""

from __future__ import annotations

import math
from typing import Any

import pytest

from lrkeeper import schedules as S
from lrkeeper.cli.curve import draw
from lrkeeper.cli.forms import definition_text
from lrkeeper.cli.spans import Span, collapse, shown


def spans(*values: float) -> list[Span]:
    return [Span(step, step, {"lr": (value,)}) for step, value in enumerate(values)]


def test_equal_bits_are_one_span_and_others_are_not() -> None:
    found = list(collapse(spans(0.0, 0.0, -0.0, math.nan, math.nan, 0.1, 0.1, 0.1)))
    assert [span.steps for span in found] == ["0–1", "2", "3–4", "5–7"]


def test_a_mark_keeps_equal_values_apart() -> None:
    first, second = Span(0, 0, {"lr": (0.1,)}, mark=1), Span(1, 1, {"lr": (0.1,)}, mark=2)
    assert list(collapse([first, second])) == [first, second]


def test_values_are_shown_with_all_their_digits() -> None:
    assert shown((0.1 * 0.1,)) == "0.010000000000000002"
    assert shown((0.5, 0.5)) == "0.5"
    assert shown((0.5, 0.25)) == "0.5, 0.25"
    assert shown((0.5, 0.25, 0.1, 0.1), most=2) == "0.5, 0.25, … (4 groups)"


def test_a_definition_in_one_line_is_in_the_language_of_files() -> None:
    assert definition_text(S.StepLR(30, gamma=1e-5)) == "step_lr: {step_size: 30, gamma: 1.0e-05}"
    assert (
        definition_text(S.StepLR(30), "base", 2) == "base revision 2 (step_lr: {step_size: 30, gamma: 0.1})"
    )


def drawn(capsys: pytest.CaptureFixture[str], *values: float, **options: Any) -> str:
    draw(spans(*values), **options)
    return capsys.readouterr().out


def row(text: str, label: str) -> str:
    (found,) = [line for line in text.splitlines() if line.split("|")[0].strip() == label]
    return found.partition("|")[2]


def test_a_curve_shows_its_highest_and_its_lowest_values(capsys: pytest.CaptureFixture[str]) -> None:
    text = drawn(capsys, *[0.1] * 30, *[0.05] * 30, unit="epoch")
    assert "⣀⣀⣀" in row(text, "0.1")
    assert "⣀⣀⣀" in row(text, "0.05")
    assert "(epoch)" in text
    assert "(lr)" in text


def test_values_of_several_decades_have_a_logarithmic_axis(capsys: pytest.CaptureFixture[str]) -> None:
    text = drawn(capsys, *(0.1 * 0.1 ** (step // 20) for step in range(80)))
    for label in ("0.1", "0.01", "0.001", "0.0001"):
        assert "⣀⣀⣀" in row(text, label)
    assert "(lr, log)" in text


def test_the_ticks_of_the_steps_are_whole_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    ticks = drawn(capsys, *(1.0 / (step + 1) for step in range(17))).rstrip().splitlines()[-1]
    labels = ticks.partition("|")[2].split()
    assert labels == [str(int(label)) for label in labels]
    assert int(labels[-1]) >= 17


@pytest.mark.parametrize("values", [(0.0,), (0.1,), (-1.0, 2.0), (1e-300, 1e300), (0.0, 5e-324)])
def test_any_finite_values_can_be_drawn(
    values: tuple[float, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert "|" in drawn(capsys, *values)


def test_what_is_not_finite_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    assert "|" in drawn(capsys, 0.1, math.inf, 0.2, math.nan)
    assert drawn(capsys, math.inf, math.nan) == ""


def test_many_different_groups_are_not_all_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    draw([Span(0, 9, {"lr": tuple(float(i) for i in range(9))})])
    assert "(3 more curves are not drawn)" in capsys.readouterr().out

"""Lengths and heights as people write them."""

from __future__ import annotations

import re
from typing import Any

import pytest

from lrkeeper import schedules as S
from lrkeeper.schedules.shape import DefinitionError
from lrkeeper.schedules.sugar.levels import level
from lrkeeper.schedules.sugar.spans import span

SPANS: dict[Any, dict[str, Any]] = {
    2000: {"steps": 2000},
    2.5: {"steps": 2.5},
    "2000": {"steps": 2000},
    "2e3": {"steps": 2000},
    "2000ba": {"steps": 2000},
    "100Kba": {"steps": 100_000},
    "10ep": {"epochs": 10},
    "0.5ep": {"epochs": 0.5},
    "3e6sp": {"samples": 3_000_000},
    "2e9tok": {"tokens": 2_000_000_000},
    "1.5Mtok": {"tokens": 1_500_000},
    "250Btok": {"tokens": 250_000_000_000},
    "1.2 Ttok": {"tokens": 1_200_000_000_000},
    "0.9dur": {"fraction": 0.9},
    "1dur": {"fraction": 1},
    "10%": {"fraction": 0.1},
    "12.5 %": {"fraction": 0.125},
    "0.1%": {"fraction": 0.001},
    "-5ba": {"steps": -5},
    "$warmup_steps": {"parameter": "warmup_steps"},
    "$(total_steps - warmup_steps)": {"parameter": "total_steps - warmup_steps"},
}

LEVELS: dict[Any, dict[str, Any]] = {
    0: {"absolute": 0},
    3e-4: {"absolute": 3e-4},
    "3e-4": {"absolute": 3e-4},
    "1x": {"relative": 1},
    "0.1x": {"relative": 0.1},
    "1e-2x": {"relative": 0.01},
    "10%": {"relative": 0.1},
    "prev": {"before": 1},
    "0.5prev": {"before": 0.5},
    "$peak": {"parameter": "peak"},
    "$(0.1 * peak)": {"parameter": "0.1 * peak"},
}

BAD_SPANS: dict[Any, str] = {
    "2000steps": 'did you mean "2000ba"?',
    "3 epochs": 'did you mean "3ep"?',
    "10epp": 'did you mean "10ep"?',
    "1.5Mtokens": 'did you mean "1.5Mtok"?',
    "1.5mtok": 'did you mean "1.5Mtok"?',
    "250B": 'write "250Btok" for tokens, "250Bsp" for samples',
    "30s": "a schedule counts steps",
    "2h": "a schedule counts steps",
    0.1: 'write "0.1dur" for a part of the total',
    "": "must be a number of steps",
    "ba": "must be a number of steps",
    "1x": "must be a number of steps",
    "prev": "must be a number of steps",
    "$": "must be a number of steps",
    "$a-b": "must be a number of steps",
    "1_000": "must be a number of steps",
    "1e999": "must be a number of steps",
    "nan": "must be a number of steps",
    "٣ba": "must be a number of steps",
    float("nan"): "must be finite",
    float("inf"): "must be finite",
    10**400: "must be finite",
    True: "must be a number of steps",
    (): "must be a number of steps",
}

BAD_LEVELS: dict[Any, str] = {
    "x": 'did you mean "1x"?',
    "base": 'did you mean "1x"?',
    "previous": 'did you mean "prev"?',
    "2 times": 'did you mean "2x"?',
    "1ep": "must be a number",
    "inf": "must be a number",
    "-": "must be a number",
    "1e400": "must be a number",
    float("nan"): "must be finite",
    False: "must be a number",
}


@pytest.mark.parametrize(("written", "means"), SPANS.items(), ids=map(str, SPANS))
def test_a_span_may_be_a_number_or_a_text_with_its_unit(written: Any, means: dict[str, Any]) -> None:
    assert span(written, "over") == means


@pytest.mark.parametrize(("written", "means"), LEVELS.items(), ids=map(str, LEVELS))
def test_a_level_may_be_a_number_or_a_text(written: Any, means: dict[str, Any]) -> None:
    assert level(written, "to") == means


@pytest.mark.parametrize(("written", "says"), BAD_SPANS.items(), ids=lambda bad: str(bad)[:20])
def test_what_is_no_span_is_refused_with_what_would_be_right(written: Any, says: str) -> None:
    with pytest.raises(DefinitionError, match="^over: is .*" + re.escape(says)):
        span(written, "over")


@pytest.mark.parametrize(("written", "says"), BAD_LEVELS.items(), ids=str)
def test_what_is_no_level_is_refused_with_what_would_be_right(written: Any, says: str) -> None:
    with pytest.raises(DefinitionError, match="^to: is .*" + re.escape(says)):
        level(written, "to")


def test_the_builders_read_the_same_texts() -> None:
    texts = S.Ramp("2000ba", begin="10%", end="0.5prev")
    assert texts == S.Ramp(S.Span(steps=2000), begin=S.Level(relative=0.1), end=S.Level(before=0.5))
    assert S.Constant("3e-4") == S.Constant(S.Level(absolute=3e-4))


def test_a_builder_refuses_what_a_file_may_not_say() -> None:
    with pytest.raises(ValueError, match=r"Ramp: over is '10 epochs'; .* did you mean .10ep"):
        S.Ramp("10 epochs")
    with pytest.raises(ValueError, match=r"Constant: value is 'base'; .* did you mean .1x"):
        S.Constant("base")

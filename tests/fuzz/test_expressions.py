"""A share of `python -m tests.fuzz.expressions`."""

from __future__ import annotations

from tests.fuzz.expressions import try_texts
from tests.fuzz.texts import KINDS


def test_any_text_is_refused_or_has_values_or_fails_in_words() -> None:
    outcomes = try_texts(range(3000), seed=0)
    assert all(outcomes[kind, "refused"] for kind in ("characters", "tokens", "mutated"))
    assert all(outcomes["valid", outcome] for outcome in ("value", "failed"))
    assert {kind for kind, _ in outcomes} == set(KINDS)

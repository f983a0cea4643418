"""A share of the definitions drawn at random, and the budget that bounds their work."""

from __future__ import annotations

import pytest

from lrkeeper import schedules as S
from lrkeeper.schedules.composable import work
from lrkeeper.schedules.cursor import begin, extend
from tests.fuzz.definitions import run

SHARE = 1_500  # of the 50,000 that `python -m tests.fuzz.definitions` tries


def test_any_definition_is_refused_by_its_path_or_gives_values_or_a_failure() -> None:
    found = run(1_000_000, SHARE)
    assert found.total() == SHARE
    assert found["refused"] > SHARE / 10
    assert found["values"] > SHARE / 10


def test_repeats_in_repeats_spend_a_budget_and_not_time(monkeypatch: pytest.MonkeyPatch) -> None:
    schedule: S.Schedule = S.Ramp(2, end=0)
    for period in (2, 6, 18, 54):
        schedule = S.Repeat(
            schedule.then(schedule, at=period).then(S.Constant(), at=2 * period), 3 * period, gain=0.9
        )
    base = {"lr": (0.1,)}
    cursor, spent = begin(schedule, base, base), 0
    for _ in range(600):
        cursor, _, failure = extend(schedule, base, cursor, 1)
        assert failure is None
        spent = max(spent, schedule.__dict__["_kept"][1][2].spent)
    assert 100 < spent <= work.MOST
    monkeypatch.setattr(work, "MOST", 20)
    with pytest.raises(ValueError, match="takes more than 20 operations"):
        begin(schedule.altered(), base, base)

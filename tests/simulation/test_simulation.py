"""A share of the simulation: some seeds, those that found bugs, and that every mutant is noticed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.simulation.checker import Indexed, one_bit_pattern
from tests.simulation.faults import RATES
from tests.simulation.history import History
from tests.simulation.many import noticed
from tests.simulation.mutants import MUTANTS, caught_by
from tests.simulation.reference import Timeline, hexed
from tests.simulation.run import simulate

_SEEDS = 60
_CHUNK = 20


@pytest.mark.parametrize("first", range(0, _SEEDS, _CHUNK))
def test_seeds_keep_the_promises(first: int) -> None:
    broken = {seed: found for seed in range(first, first + _CHUNK) if (found := simulate(seed).violations)}
    assert not broken


def test_seeds_that_found_a_bug_find_it_no_more() -> None:
    lines = Path(__file__).with_name("seeds.txt").read_text().splitlines()
    seeds = [int(line.split()[0]) for line in lines if line and not line.startswith("#")]
    assert seeds
    assert not {seed: found for seed in seeds if (found := simulate(seed).violations)}


def test_a_seed_gives_the_same_history_byte_for_byte_in_another_process() -> None:
    seeds = (2, 11)
    program = (
        "from tests.simulation.run import simulate\n"
        f"for seed in {seeds}: print(simulate(seed).history.text())"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": number},
            cwd=Path(__file__).parents[2],
            capture_output=True,
            check=True,
        ).stdout
        for number in ("1", "2")
    }
    here = "".join(f"{simulate(seed).history.text()}\n" for seed in seeds)
    assert found == {here.encode()}


@pytest.mark.parametrize(
    ("sent", "used", "kept"), [("before", "aa", True), ("after", "aa", False), ("before", "cc", False)]
)
def test_a_row_is_of_the_database_that_sent_it(sent: str, used: str, kept: bool) -> None:
    """A rank is sent "aa" of a step just before a backup is put back, or after it, and gets it later; others "bb"."""
    history = History(lambda: 0.0)

    def answered(message: str, client: str, method: str, **facts: Any) -> int:
        asked = {"run_uid": "run", "branch": 1, "from_step": 1}
        history.note("call", message=message, client=client, method=method, **asked)
        return history.note("answered", message=message, server="a", reason=None, **facts)

    for client in ("rank", "other"):
        place = {"run_uid": "run", "branch": 1, "step": 0, "rows": ["00"]}
        taken = answered(f"{client}'s run", client, "acquire_run", **place)
        history.note("returned", message=f"{client}'s run", answer=taken, branch=1)
    history.note("backup")
    rows = 0
    for when in ("before", "after"):
        if when == "after":
            history.note("restored")
        if when == sent:
            rows = answered("rank's step", "rank", "next_lr", first_step=1, rows=["aa"])
    answered("other's step", "other", "next_lr", first_step=1, rows=["bb"])
    history.note("returned", message="rank's step", answer=rows, end=2)
    history.note("used", client="rank", run_uid="run", branch=1, step=1, row=used)
    assert (list(one_bit_pattern(Indexed(history.events))) == []) == kept


@pytest.mark.parametrize(("edited", "value"), [(False, 4.0), (True, 2.0)])
def test_a_branch_that_begins_anew_at_step_0_has_the_value_of_what_rules_there(
    edited: bool, value: float
) -> None:
    """A repair begins one with the definition that the job brings, and an edit for the row that it remembers."""
    here = {"run_uid": "run", "branch": 3}

    def definition(number: int) -> str:
        return json.dumps({"expression": {"text": f"base * ({number} + step / 1048576)"}})

    branch = {**here, "parent": 1, "fork_step": None, "origin_step": 0, "definition": definition(4)}
    edit = {**here, "revision": 6, "effective_step": 0, "definition": definition(2)}
    group = {**here, "place": 0, "initial": 1.0, "current": 1.0}
    tables = {"branches": [branch], "edits": [edit] * edited, "blocks": [], "param_groups": [group]}
    assert Timeline(tables, "run", 3).values(1) == {0: hexed([value])}


def test_two_seeds_give_two_histories() -> None:
    assert simulate(1).history.text() != simulate(2).history.text()


def test_faults_fire() -> None:
    names = set()
    for seed in range(40):
        names |= set(simulate(seed).fired)
    assert len(names) >= len(RATES) - 4


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_is_noticed(name: str) -> None:
    assert caught_by(name, [noticed().get(name, 0), *range(400)]) is not None


def test_every_promise_of_the_protocol_is_broken_by_a_mutant() -> None:
    assert {promise for mutant in MUTANTS.values() for promise in mutant.breaks} == {1, 2, 3, 4, 5, 7, 8, 9}

"""Programs written for torch do the same with nothing replaced but the import."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from tests.parity.programs import checkpoints, frameworks, loops
from tests.parity.programs.examples import CLASSES, examples, made_by
from tests.support.server import ServerProcess

EXAMPLES = examples()
PROGRAMS = {**EXAMPLES, **loops.PROGRAMS, **frameworks.PROGRAMS, **checkpoints.PROGRAMS}

Outcomes = dict[str, dict[str, Any]]


def outcomes(which: str, **environment: str) -> Outcomes:
    """Run all programs in a process with one of the imports."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.parity.programs.outcome", which],
        input=json.dumps(PROGRAMS),
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: Outcomes = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def theirs() -> Outcomes:
    return outcomes("torch")


@pytest.fixture(scope="module")
def ours(shared_server: ServerProcess) -> Outcomes:
    return outcomes("lrkeeper", LRKEEPER_SERVER=shared_server.address)


@pytest.fixture(scope="module")
def alone() -> Outcomes:
    return outcomes("lrkeeper", LRKEEPER_MODE="off")


def test_every_class_has_an_example_of_torchs() -> None:
    assert {name.split()[0].split(".")[0] for name in EXAMPLES} == CLASSES.keys()
    assert set().union(*map(made_by, EXAMPLES.values())) == CLASSES.keys()


@pytest.mark.parametrize("name", EXAMPLES)
def test_torchs_example_runs_through(theirs: Outcomes, name: str) -> None:
    assert theirs[name]["exception"] is None
    assert len(theirs[name]["groups"]) == 2


@pytest.mark.parametrize("name", PROGRAMS)
def test_it_does_the_same_with_a_server(theirs: Outcomes, ours: Outcomes, name: str) -> None:
    assert ours[name] == theirs[name]


@pytest.mark.parametrize("name", PROGRAMS)
def test_it_does_the_same_without_a_server(theirs: Outcomes, alone: Outcomes, name: str) -> None:
    assert alone[name] == theirs[name]

"""Who may import whom: the contracts of pyproject.toml, that each can fail, and what is really loaded."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]

# For each contract: modules, and a line in them that must break it.
PLANTED = {
    "The server side imports nothing of the client side": [
        ("server/lrkeeper/server/app.py", "import lrkeeper.client"),
        ("server/lrkeeper/server/usecases/keeper.py", "from lrkeeper import Client"),
        ("schedules/lrkeeper/schedules/numbers.py", "import lrkeeper.views"),
        ("migrations/lrkeeper/migrations/env.py", "import lrkeeper.cli.commands"),
        ("client/lrkeeper/errors.py", "import lrkeeper.schedules"),
        ("client/lrkeeper/new.py", ""),
    ],
    "The client side imports nothing of the server side": [
        ("client/lrkeeper/errors.py", "import lrkeeper.settings"),
        ("client/lrkeeper/local.py", "import lrkeeper.server.runs.head"),
        ("client/lrkeeper/torch/hold.py", "import lrkeeper.migrations"),
    ],
    "Inside the server imports go one way": [
        ("server/lrkeeper/server/runs/head.py", "import lrkeeper.server.usecases.keeper"),
        ("server/lrkeeper/server/storage/sql.py", "import lrkeeper.server.usecases.keeper"),
        ("server/lrkeeper/server/new.py", ""),
    ],
    "Servicers reach storage through use cases": [
        ("server/lrkeeper/server/servicers/pages.py", "import lrkeeper.server.storage.contract"),
    ],
    "Use cases know storage by its contract": [
        ("server/lrkeeper/server/usecases/seek.py", "import lrkeeper.server.storage.sql"),
    ],
    "Only storage and migrations speak SQL": [
        ("server/lrkeeper/server/runs/names.py", "import sqlalchemy"),
        ("schedules/lrkeeper/schedules/checks.py", "import sqlite3"),
    ],
    "Rules and use cases know nothing of gRPC": [
        ("server/lrkeeper/server/runs/limits.py", "import grpc"),
        ("schedules/lrkeeper/schedules/codec.py", "import lrkeeper.v1.run_service_pb2_grpc"),
    ],
    "Schedules and the rules of runs are pure": [
        ("schedules/lrkeeper/schedules/checks.py", "def now():\n    import time"),
        ("schedules/lrkeeper/schedules/expressions/compiler.py", "import os"),
    ],
    "The server never imports torch": [
        ("server/lrkeeper/server/logs.py", "import torch"),
        ("schedules/lrkeeper/schedules/numbers.py", "import numpy"),
    ],
    "The bare client needs no extra": [
        ("client/lrkeeper/views.py", "import torch"),
        ("client/lrkeeper/client.py", "import yaml"),
    ],
}


def lint(project: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "scripts/lint_imports.py"], cwd=project, capture_output=True, text=True, check=False
    )


def test_no_import_crosses_a_boundary() -> None:
    result = lint(PROJECT)
    assert result.returncode == 0, result.stdout + result.stderr


def test_every_contract_is_shown_to_fail() -> None:
    contracts = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    assert set(PLANTED) == {contract["name"] for contract in contracts}


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project's sources, to be spoilt."""
    copy = tmp_path_factory.mktemp("copy")
    for name in ("cli", "client", "migrations", "proto", "schedules", "scripts", "server"):
        shutil.copytree(PROJECT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PROJECT / "pyproject.toml", copy)
    return copy


@pytest.mark.parametrize(
    ("contract", "module", "line"),
    [(contract, *planted) for contract, all_planted in PLANTED.items() for planted in all_planted],
)
def test_an_import_across_a_boundary_breaks_its_contract(
    copy: Path, contract: str, module: str, line: str
) -> None:
    planted = copy / module
    before = planted.read_text() if planted.exists() else None
    planted.write_text(f"{before or ''}\n{line}\n")
    try:
        result = lint(copy)
    finally:
        if before is None:
            planted.unlink()
        else:
            planted.write_text(before)
    assert result.returncode == 1, result.stdout + result.stderr
    assert f"{contract} BROKEN" in result.stdout, result.stdout + result.stderr


def loaded(program: str) -> set[str]:
    """Return the top-level modules a new interpreter has after a program."""
    result = subprocess.run(
        [sys.executable, "-c", f"{program}\nimport sys\nprint(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    return {name.partition(".")[0] for name in result.stdout.split()}


def test_the_bare_client_loads_neither_torch_nor_sqlalchemy() -> None:
    modules = loaded(
        "import lrkeeper; from lrkeeper import Client, LrkeeperError, RunFenced, errors, schedules"
    )
    assert {"lrkeeper", "grpc"} <= modules
    assert not modules & {
        "torch",
        "numpy",
        "sqlalchemy",
        "alembic",
        "psycopg",
        "structlog",
        "click",
        "rich",
        "yaml",
    }


def test_a_program_that_only_imports_lrkeeper_loads_no_grpc() -> None:
    assert "grpc" not in loaded("import lrkeeper")


def test_the_server_loads_no_torch() -> None:
    modules = loaded("import lrkeeper.server.app, lrkeeper.cli.serve")
    assert {"grpc", "sqlalchemy", "click"} <= modules
    assert not modules & {"torch", "numpy"}


def test_torch_is_loaded_when_a_torch_name_is_used() -> None:
    assert "torch" in loaded("from lrkeeper import RemoteLR")

"""The command line in this process, and as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from uuid import uuid4

import pytest
from click.testing import CliRunner, Result

from lrkeeper.cli.commands import lrkeeper


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.import_plugin("tests.support.databases")


class Cli:
    """`lrkeeper …` in this process. An exception that is not the command line's own goes on."""

    def __call__(self, *args: str, input: str | None = None) -> Result:
        return CliRunner().invoke(lrkeeper, args, input=input, catch_exceptions=False)

    def out(self, *args: str, input: str | None = None) -> str:
        """What a command that succeeds prints."""
        result = self(*args, input=input)
        assert result.exit_code == 0, result.output
        assert result.stderr == ""
        return result.stdout

    def refusal(self, *args: str) -> str:
        """The one line a refused command prints."""
        result = self(*args)
        assert result.exit_code == 1, result.output
        assert result.stderr.startswith("Error: ")
        assert result.stderr.count("\n") == 1
        return result.stderr


@pytest.fixture
def cli() -> Cli:
    return Cli()


@pytest.fixture
def name() -> str:
    """A name that no other test uses."""
    return f"n{uuid4().hex[:12]}"


Process = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def process() -> Process:
    """`lrkeeper …` as a process, its output piped."""

    def run(*args: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "lrkeeper.cli", *args],
            capture_output=True,
            text=True,
            env={**os.environ, **environment},
            timeout=120,
            check=False,
        )

    return run

"""What holds for every command: help, errors, exit codes, missing packages."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from lrkeeper.cli.commands import lrkeeper
from tests.cli.conftest import Cli, Process
from tests.support.server import ServerProcess, free_port

HEAVY = ("grpc", "torch", "sqlalchemy", "alembic", "rich", "plotille", "yaml", "google.protobuf")


def commands(group: click.Group = lrkeeper, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name)


@pytest.mark.parametrize("path", list(commands()), ids=" ".join)
def test_every_command_says_what_it_does(path: tuple[str, ...], cli: Cli) -> None:
    text = cli.out(*path, "--help")
    assert text.splitlines()[2].strip()


def test_help_imports_no_heavy_package() -> None:
    script = (
        "import sys\n"
        "from lrkeeper.cli import main\n"
        "sys.argv[1:] = ARGS\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code\n"
        f"print('loaded:', [name for name in {HEAVY!r} if name in sys.modules])"
    )
    for args in (["--help"], ["run", "--help"], ["schedule", "--help"], ["db", "--help"]):
        code = script.replace("ARGS", repr(args))
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout.splitlines()[-1] == "loaded: []", args


def test_a_refusal_is_one_line_and_status_1(server: ServerProcess, process: Process) -> None:
    done = process("run", "show", "nosuch")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "Error: there is no run 'nosuch'\n"


def test_wrong_usage_is_status_2(process: Process) -> None:
    done = process("run", "explain", "some", "minus-one")
    assert done.returncode == 2
    assert "'minus-one' is not a valid integer" in done.stderr


def test_a_server_that_cannot_be_reached_is_one_line(process: Process) -> None:
    address = f"127.0.0.1:{free_port()}"
    done = process("run", "list", "--server", address)
    assert done.returncode == 1
    assert done.stderr == f"Error: the lrkeeper server at {address} cannot be reached\n"


def test_no_server_named_says_how_to_name_one(cli: Cli) -> None:
    assert "LRKEEPER_SERVER" in cli.refusal("run", "list")


def test_the_server_option_wins_over_the_environment(
    server: ServerProcess, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LRKEEPER_SERVER", f"127.0.0.1:{free_port()}")
    cli.refusal("run", "list")
    cli.out("run", "list", "--server", server.address)


def test_an_error_of_the_server_cannot_write_escapes(server: ServerProcess, cli: Cli) -> None:
    refusal = cli.refusal("run", "show", "\x1b[31mred\nline")
    assert "\x1b" not in refusal


@pytest.mark.parametrize(
    "args",
    [
        ("run", "explain", "r", "9007199254740992"),
        ("run", "history", "r", "--from", "-1"),
        ("run", "history", "r", "--branch", "0"),
        ("run", "set-schedule", "r", "s", "--reason", "why", "--at-step", "99999999999999999999"),
        ("schedule", "show", "s", "--revision", "0"),
    ],
)
def test_numbers_that_cannot_be_are_wrong_usage(
    args: tuple[str, ...], server: ServerProcess, cli: Cli
) -> None:
    result = cli(*args)
    assert result.exit_code == 2
    assert " is not from " in result.stderr


@pytest.mark.parametrize(
    "args",
    [
        ("run", "show", "\udcff"),
        ("run", "list", "--label", "\udcff=1"),
        ("run", "set-schedule", "r", "s", "--reason", "\udcff"),
        ("schedule", "show", "\udcff"),
        ("schedule", "preview", "\udcff"),
    ],
)
def test_bytes_that_are_no_text_are_wrong_usage(
    args: tuple[str, ...], server: ServerProcess, cli: Cli
) -> None:
    result = cli(*args)
    assert result.exit_code == 2
    assert "is not valid UTF-8" in result.stderr


@pytest.mark.parametrize(
    ("package", "args", "line"),
    [
        ("click", ["--help"], "the lrkeeper command needs click: pip install 'lrkeeper[cli]'"),
        ("rich", ["--help"], "the lrkeeper command needs rich: pip install 'lrkeeper[cli]'"),
        ("sqlalchemy", ["db", "current"], "Error: this needs sqlalchemy: pip install 'lrkeeper[server]'"),
        ("platformdirs", ["serve"], "Error: this needs platformdirs: pip install 'lrkeeper[server]'"),
    ],
)
def test_a_missing_package_is_one_line_that_names_its_extra(package: str, args: list[str], line: str) -> None:
    script = (
        f"import sys; sys.modules[{package!r}] = None; sys.argv[1:] = {args!r}\n"
        "from lrkeeper.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(line)
    assert done.stderr.count("\n") == 1


def test_a_reader_that_leaves_early_causes_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text("step_lr: {step_size: 1}")
    command = (
        f"{sys.executable} -m lrkeeper.cli schedule preview {tmp_path}/s.yaml --steps 9999 --json | head -c 1"
    )
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("{", "")

"""What is printed: escapes, widths, numbers; in a pipe and on a terminal."""

from __future__ import annotations

import json
import math
import sys

import pytest

from lrkeeper import Client
from lrkeeper import schedules as S
from lrkeeper.cli import screen
from tests.cli.conftest import Cli, Process
from tests.cli.jobs import trained
from tests.support.terminal import on_a_terminal

HOSTILE = "\x1b[31mred\x1b]0;title\x07 [bold]loud[/bold] :smile: \r\n\x9b2J \u202eltr\u200b"
TAMED = r"\x1b[31mred\x1b]0;title\x07 [bold]loud[/bold] :smile: \r\n\x9b2J \u202eltr\u200b"


def test_what_is_not_printable_becomes_an_escape() -> None:
    assert screen.plain(HOSTILE) == TAMED
    assert screen.plain("Grüße, 学習率 \udcff") == r"Grüße, 学習率 \udcff"


def test_a_hostile_reason_does_nothing_anywhere(cli: Cli, client: Client, name: str) -> None:
    place = trained(client, name, S.StepLR(3), to=2, labels={"note": "[red]\x1b[2J"})
    client.edit_run(name, S.StepLR(4), expected_revision=1, reason=HOSTILE, author="a\x1b[0m")
    client.next_lr(place, 3, 1, applied_step=2, revision=1)
    client.create_schedule(name, S.StepLR(1), reason=HOSTILE, author="a\x1b[0m")
    for command in (
        ("run", "show", name),
        ("run", "history", name),
        ("run", "explain", name, "3"),
        ("schedule", "show", name),
    ):
        out = cli.out(*command)
        assert TAMED in out, command
        assert "\x1b" not in out
    assert r"note=[red]\x1b[2J" in cli.out("run", "list")
    printed = cli.out("run", "show", name, "--json")
    assert "\x1b" not in printed
    assert json.loads(printed)["edits"][0]["reason"] == HOSTILE


def test_a_pipe_gets_no_colour_and_nothing_is_cut(client: Client, name: str, process: Process) -> None:
    words = " ".join(f"word{i}" for i in range(100))
    trained(client, name, S.StepLR(3), to=2)
    client.edit_run(name, S.StepLR(4), expected_revision=1, reason=words)
    done = process("run", "show", name, COLUMNS="40")
    assert done.returncode == 0
    assert "\x1b" not in done.stdout
    (line,) = [line for line in done.stdout.splitlines() if "word99" in line]
    assert words in line


def shown_on_a_terminal(columns: int, *args: str) -> str:
    """What a command that succeeds prints on a terminal of a width."""
    printed = on_a_terminal(columns, [sys.executable, "-m", "lrkeeper.cli", *args])
    assert (printed.status, printed.err) == (0, "")
    return printed.out


def test_a_terminal_gets_colour_and_lines_of_its_width(client: Client, name: str) -> None:
    trained(client, name, S.StepLR(3), to=2)
    reason = "because " * 20
    client.edit_run(name, S.StepLR(4), expected_revision=1, reason=HOSTILE + reason)
    out = shown_on_a_terminal(120, "run", "history", name)
    assert "\x1b[1m" in out
    assert "\x1b[31m" not in out
    assert out.count("because") == 20
    out = shown_on_a_terminal(120, "run", "show", name)
    assert "\x1b[32m" in out  # the state
    assert out.count("because") == 20


def test_json_has_only_what_json_knows(capsys: pytest.CaptureFixture[str]) -> None:
    screen.put_json({"lr": (0.1, math.nan, math.inf, -math.inf), "é": None}, indent=None)
    line = '{"lr": [0.1, "NaN", "Infinity", "-Infinity"], "\\u00e9": null}\n'
    assert capsys.readouterr().out == line


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-3, "0 s ago"), (0.9, "0 s ago"), (61, "1 min ago"), (7300, "2 h ago"), (200_000, "2 d ago")],
)
def test_how_long_ago(seconds: float, text: str) -> None:
    assert screen.ago(seconds) == text

"""`lrkeeper demo` as users run it; and that it can fail."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from math import inf, nextafter
from pathlib import Path

import psutil
import pytest

from lrkeeper import Client
from lrkeeper.cli.demo import plan
from lrkeeper.cli.demo.comparison import compare, differing
from lrkeeper.cli.demo.screen import Screen
from tests.support.server import ServerProcess
from tests.support.terminal import Printed, on_a_terminal

LRKEEPER = (sys.executable, "-m", "lrkeeper.cli")
DEMO = (*LRKEEPER, "demo")

ONE_BIT_OFF = """
from math import inf, nextafter
from lrkeeper.cli.demo import demo, events, processes

steps_12 = []

def altered(line):
    event = events.from_line(line)
    if isinstance(event, events.Step) and event.step == 12:
        steps_12.append(event)
        if len(steps_12) == 2:  # the first is the straight run's
            return events.Step(12, nextafter(event.lr, inf))
    return event

processes.from_line = altered
demo()
"""


# Where the tests run in a shell's background, SIGINT is ignored, and that is inherited. It is not set right with
# preexec_fn: that forks this process, and a fork beside gRPC's threads may abort before it gets to exec.
HEEDING_SIGINT = """
import signal
from lrkeeper.cli.demo import demo

signal.signal(signal.SIGINT, signal.default_int_handler)
demo()
"""


@dataclass(frozen=True)
class Shown:
    """A finished demo, on a terminal."""

    printed: Printed
    folder: Path

    @cached_property
    def out(self) -> str:
        return self.printed.text

    @property
    def acts(self) -> list[str]:
        return re.split(r"^(?:\d\. |The curves ).*$", self.out, flags=re.MULTILINE)[1:4]

    @property
    def edited_at(self) -> int:
        (marked,) = re.findall(r"^ +(\d+) .*← the new schedule acts$", self.acts[2], flags=re.MULTILINE)
        return int(marked)


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    folder = tmp_path_factory.mktemp("demo") / "kept"
    return Shown(on_a_terminal(120, [*DEMO, "--keep", str(folder)]), folder)


def trained(act: str) -> list[tuple[int, float]]:
    """Return the epochs that an act shows, with their lr."""
    rows = re.findall(r"^ +(\d+)  (\S+) +\d+\.\d{4} +\d+\.\d%", act, flags=re.MULTILINE)
    return [(int(epoch), float(lr)) for epoch, lr in rows]


def old_lr(epoch: int) -> float:
    return 0.1 if epoch < 6 else 0.01 if epoch < 10 else 0.001


def new_lr(epoch: int) -> float:
    return 0.1 * 0.5 ** (epoch // 3)


def test_the_demo_ends_well(shown: Shown) -> None:
    assert (shown.printed.status, shown.printed.err) == (0, "")
    assert "1,797 handwritten digits" in shown.out
    assert re.search(r"^Done in \d+ s\.$", shown.out, re.MULTILINE)


def test_a_bar_moves_with_every_epoch_and_is_gone_in_the_end(shown: Shown) -> None:
    bars = re.findall(r"━+.*?(\d+)/(\d+).*? epochs", shown.printed.out)
    trained = [int(epochs) for epochs, _ in bars]
    total = 3 * plan.EPOCHS + 1
    assert {int(of) for _, of in bars} == {total}
    assert trained == sorted(trained)
    assert len(set(trained)) > total // 2
    assert max(trained) == total
    assert "━" not in shown.out


def test_the_curves_are_drawn_in_the_end_in_the_colours_of_their_legend(shown: Shown) -> None:
    _, curves = shown.out.split("The curves")
    assert len(re.findall(r"[\u2801-\u28ff]", curves)) > 100
    assert (
        len(re.findall(r"^.*⠤⠤⠤⠤⠤ .*⠤⠤o⠤⠤ .*$", curves, re.MULTILINE)) == 2
    )  # of the lrs, and of the losses
    _, coloured = shown.printed.out.split("The curves")
    assert re.search(r"\x1b\[32m[\u2801-\u28ff]", coloured)
    assert "\x1b[35mo" in coloured


def test_curves_in_a_file_are_drawn_without_escape_sequences(capsys: pytest.CaptureFixture[str]) -> None:
    with Screen() as screen:
        screen.show_curves({"a": {0: 0.1, 1: 0.01}}, {"a": [(0, 2.0), (1, 1.0)], "b": [(0, 2.0), (1, 0.5)]})
    out = capsys.readouterr().out
    assert re.search(r"[\u2801-\u28ff]{2}", out)
    assert "\x1b" not in out
    assert "\r" not in out


def test_the_first_job_trains_with_the_schedule_and_learns_to_read(shown: Shown) -> None:
    assert trained(shown.acts[0]) == [(epoch, old_lr(epoch)) for epoch in range(plan.EPOCHS)]
    last = shown.acts[0].rstrip().splitlines()[-1]
    assert float(last.split()[-1].rstrip("%")) > 90


def test_the_killed_job_resumes_at_its_checkpoint_and_is_given_a_committed_step_again(shown: Shown) -> None:
    act = shown.acts[1]
    before, after = act.split("kill -9")
    assert [epoch for epoch, _ in trained(before)] == list(range(10))
    assert "resumes from its checkpoint at step 9" in after
    assert "The database has steps 0 to 10: the job is given step 10 again" in after
    assert [epoch for epoch, _ in trained(after)] == list(range(9, plan.EPOCHS))


def test_the_two_lr_columns_are_bit_identical(shown: Shown) -> None:
    act = shown.acts[1]
    rows = re.findall(r"^ +(\d+)  \S+ +(0x\S+) +(0x\S+) +(.+)$", act, flags=re.MULTILINE)
    assert [int(step) for step, *_ in rows] == [*range(9), 9, 9, 10, 10, *range(11, 16)]
    assert all(straight == interrupted and mark[0] == "=" for _, straight, interrupted, mark in rows)
    assert "The two lr columns are bit-identical: 16 steps" in act
    assert "given 9 and 10 again" in act


def test_the_edited_job_has_the_new_schedule_from_the_step_that_the_server_named(shown: Shown) -> None:
    e, act = shown.edited_at, shown.acts[2]
    assert plan.EDIT_AFTER < e <= plan.EDITED_BY + 1
    assert trained(act) == [
        (epoch, old_lr(epoch) if epoch < e else new_lr(epoch)) for epoch in range(plan.EPOCHS)
    ]
    assert f"effective from step {e} (revision 2)" in act
    assert f"lrkeeper run set-schedule {plan.EDITED} {plan.NEW_SCHEDULE_FILE}" in act
    before, at = act.split("lrkeeper run explain")[1:]
    assert before.startswith(f" {plan.EDITED} {e - 1}\n")
    assert "multi_step_lr" in before
    assert plan.REASON not in before
    assert at.startswith(f" {plan.EDITED} {e}\n")
    assert re.search(rf"^lr +{new_lr(e)}$", at, re.MULTILINE)
    assert "step_lr: {step_size: 3, gamma: 0.5}" in at
    assert re.search(rf"^edit +revision 2, from step {e}, .*{plan.REASON}$", at, re.MULTILINE)


def test_a_kept_demo_can_be_looked_at_as_it_says(shown: Shown, tmp_path: Path) -> None:
    database = shown.folder / plan.DATABASE
    advice = shown.out.split("To look at them:")[1]
    serve, export, *looks = [shlex.split(line) for line in advice.splitlines() if line.startswith("  ")]
    assert serve[:-1] == ["lrkeeper", "serve", "--database-url", f"sqlite:///{database}"]
    assert export[0] == "export"
    variable, _, _ = export[1].partition("=")
    with (
        ServerProcess(database, log=tmp_path / "server.log") as server,
        Client(server.address) as client,
    ):
        runs = {run.name: run for run in client.list_runs()}
        assert set(runs) == {plan.STRAIGHT, plan.INTERRUPTED, plan.EDITED}
        assert {(run.state, run.frontier, run.unit) for run in runs.values()} == {("finished", 16, "epoch")}
        assert len(looks) == 3
        for look in looks:
            done = subprocess.run(
                [*LRKEEPER, *look[1:]],
                env={**os.environ, variable: server.address},
                capture_output=True,
                text=True,
            )
            assert (done.returncode, done.stderr) == (0, "")
            assert plan.EDITED in done.stdout or plan.REASON in done.stdout


def test_a_demo_does_not_go_on_in_the_directory_of_another(shown: Shown) -> None:
    done = subprocess.run([*DEMO, "--keep", str(shown.folder)], capture_output=True, text=True)
    assert done.returncode == 2
    assert "has the database of a demo already" in done.stderr


def test_a_learning_rate_that_is_one_bit_off_ends_the_demo_with_status_1() -> None:
    done = subprocess.run([sys.executable, "-c", ONE_BIT_OFF], capture_output=True, text=True)
    assert done.returncode == 1
    assert "\x1b" not in done.stdout  # it is not on a terminal
    assert "\r" not in done.stdout
    assert re.search(r"^  12 .* DIFFERENT$", done.stdout, re.MULTILINE)
    assert "the two lr columns are NOT bit-identical: step 12: 0x1.0624dd2f1a9fdp-10 against" in done.stderr
    assert "are bit-identical" not in done.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.long)])
def test_a_demo_that_is_interrupted_leaves_nothing_behind(number: signal.Signals, tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HEEDING_SIGINT],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path), "PYTHONUNBUFFERED": "1"},
    ) as demo:
        assert demo.stdout is not None
        for line in demo.stdout:
            if re.match(r" +0  0\.1 ", line):
                break
        started = psutil.Process(demo.pid).children(recursive=True)
        demo.send_signal(number)
        demo.stdout.read()
        status = demo.wait()
    _, left = psutil.wait_procs(started, timeout=10)
    assert status == (1 if number == signal.SIGINT else 128 + number)
    assert len(started) >= 3  # a server and two trainers
    assert left == []
    assert list(tmp_path.glob("lrkeeper-demo-*")) == []


def test_columns_with_the_same_bits_do_not_differ() -> None:
    rows = compare({0: 0.1, 1: 0.05, 2: 0.025}, {0: 0.1, 1: 0.05}, {1: 0.05, 2: 0.025})
    assert differing(rows) == ""
    assert [row.step for row in rows if row.replayed] == [1]


@pytest.mark.parametrize(
    "others",
    [
        ({0: 0.1, 1: nextafter(0.05, inf)},),
        ({0: 0.1, 1: 0.05}, {1: nextafter(0.05, 0.0)}),
        ({0: 0.1},),
        ({0: 0.1, 1: 0.05, 2: 0.025},),
        (),
    ],
    ids=["a bit", "a bit of the replay", "a step is missing", "a step too many", "nothing"],
)
def test_columns_differ_by(others: tuple[dict[int, float], ...]) -> None:
    assert differing(compare({0: 0.1, 1: 0.05}, *others)) != ""


def test_zeros_of_different_sign_differ() -> None:
    assert differing(compare({0: 0.0}, {0: -0.0})) != ""


def test_no_steps_at_all_are_not_the_same() -> None:
    assert differing(compare({}, {})) != ""

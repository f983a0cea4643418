"""`lrkeeper run export`."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from lrkeeper.cli.edits import ruling
from lrkeeper.cli.forms import form
from lrkeeper.cli.options import branch_option, connect, run_argument, server_option
from lrkeeper.cli.run.rows import committed
from lrkeeper.cli.run.words import run_form
from lrkeeper.cli.screen import put_json

if TYPE_CHECKING:
    from lrkeeper import Client
    from lrkeeper.schedules.given import Given
    from lrkeeper.views import Run


@click.command()
@run_argument
@click.option(
    "--as",
    "kind",
    type=click.Choice(["csv", "json", "torch"]),
    default="csv",
    show_default=True,
    help="csv and json: every committed value. torch: Python that goes on without lrkeeper.",
)
@click.option(
    "--at-step",
    type=click.IntRange(min=0),
    help="With --as torch: the step at which the job stands (`scheduler.last_epoch`); if it is not given, the last "
    "committed one, which lies ahead of a job that holds values.",
)
@branch_option
@server_option
def export(name: str, kind: str, at_step: int | None, branch: int | None, server: str | None) -> None:
    """Write down the curve that a run really had, to leave with it.

    --as torch gives the constructor call of torch's own scheduler and the state that it loads to go on after
    a step. It needs a run of one torch schedule without edits.
    """
    with connect(server) as client:
        run = client.get_run(name)
        chosen = run.branch if branch is None else branch
        if kind == "torch":
            click.echo(_as_torch(client, run, chosen, at_step))
        elif kind == "json":
            rows = committed(client, run, chosen, 0, None)
            steps = [{"step": row.step, "values": form(row.values)} for row in rows]
            put_json({"run": run_form(run), "branch": chosen, "steps": steps})
        else:
            _write_csv(client, run, chosen)


def _write_csv(client: Client, run: Run, branch: int) -> None:
    """Write a line for each step, with a column for each track and param group; empty before a group was added."""
    out = csv.writer(sys.stdout, lineterminator="\n")
    groups = 0
    for row in committed(client, run, branch, 0, None):
        if not groups:
            groups = len(run.groups) if branch == run.branch else len(row.values["lr"])
            out.writerow(["step", *(f"{track}[{i}]" for track in row.values for i in range(groups))])
        cells: list[object] = [row.step]
        for values in row.values.values():
            cells += [*map(repr, values), *[""] * (groups - len(values))]
        out.writerow(cells)


def _as_torch(client: Client, run: Run, branch: int, at_step: int | None) -> str:
    from lrkeeper.torch.written import NoTorchScheduler, call_text, replayed, text

    if branch != run.branch:
        raise NoTorchScheduler(
            f"branch {branch} is not the one that run {run.name!r} is on, {run.branch}; "
            "--as csv and --as json write it"
        )
    if ruling(run.edits, branch):
        raise NoTorchScheduler(f"run {run.name!r} was edited; its curve is no single scheduler's")
    if len(run.lineage) > 1:
        raise NoTorchScheduler(
            f"run {run.name!r} has gone on on another branch at step {run.origin_step} (param groups were added, or it "
            "was taken back); --as csv and --as json write it"
        )
    if run.origin_step:
        raise NoTorchScheduler(f"run {run.name!r} begins at step {run.origin_step}, with a past elsewhere")
    step = run.frontier - 1 if at_step is None else at_step
    if step >= run.frontier:
        raise NoTorchScheduler(f"--at-step is {step}; run {run.name!r} has the steps below {run.frontier}")
    schedule = client.explain(run.name, run.origin_step, branch=branch).schedule
    scheduler = replayed(schedule, run.groups, islice(_steps(client, run, branch), step))
    state = {key: value for key, value in scheduler.state_dict().items() if key != "use_beta1"}
    lines = [
        f"# Run {run.name!r} after step {step}; `optimizer` is the job's, with its state restored.",
        "from collections import Counter",
        "from math import inf, nan",
        "",
        "import torch",
        "",
        f"scheduler = {call_text(schedule)}",
        f"scheduler.load_state_dict({text(state)})",
    ]
    values = client.explain(run.name, step, branch=branch).values.row(step)
    for place in range(len(run.groups)):
        lr = repr(values["lr"][place])
        if run.groups[place].number == "float32":
            lr = f"torch.tensor({lr})"
        lines += [f"group = optimizer.param_groups[{place}]", f'group["lr"] = {lr}']
        if "momentum" in values:
            lines += [_MOMENTUM.format(values["momentum"][place])]
    return "\n".join(lines)


_MOMENTUM = """\
if "betas" in group:
    group["betas"] = ({0!r}, *group["betas"][1:])
else:
    group["momentum"] = {0!r}"""


def _steps(client: Client, run: Run, branch: int) -> Iterator[tuple[Given, Any]]:
    for block in client.list_blocks(run.name, branch=branch):
        for step in range(block.table.first_step, block.table.end_step):
            yield block.given, block.table.row(step)

"""`lrkeeper schedule lint`."""

from __future__ import annotations

import math

import click

from lrkeeper.cli import schedule_files
from lrkeeper.cli.options import json_option, utf8
from lrkeeper.cli.screen import put_json, say


@click.command()
@click.argument("path", metavar="FILE", callback=utf8)
@click.option("--steps", type=click.IntRange(min=1), help="How many steps a run has.  [default: the total]")
@click.option(
    "--lr", "base", type=float, default=0.1, show_default=True, help="The base lr, if not in the file."
)
@json_option
def lint(path: str, steps: int | None, base: float, as_json: bool) -> None:
    """Explain traps in a schedule file: what is allowed and hardly meant.

    The status is 1 if there are any.
    """
    from lrkeeper.schedules.lint import lint as findings_in

    if not math.isfinite(base):
        raise click.BadParameter(f"is {base}; it must be a finite number", param_hint="--lr")
    text = schedule_files.read_text(path)
    findings = findings_in(text.definition, path=text.field, base=base, steps=steps)
    if as_json:
        put_json([finding._asdict() for finding in findings])
    elif not findings:
        say(f"{text.shown}: nothing found")
    else:
        for finding in findings:
            say(f"{finding.path or 'the definition'}: {finding.problem}")
            if finding.instead:
                say(f"    instead: {finding.instead}")
    if findings:
        raise SystemExit(1)

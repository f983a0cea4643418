"""`lrkeeper schedule`."""

from __future__ import annotations

import click

from lrkeeper.cli.lazy import LazyGroup

_COMMANDS = {
    "apply": "lrkeeper.cli.schedule.apply:apply",
    "list": "lrkeeper.cli.schedule.listing:list_schedules",
    "show": "lrkeeper.cli.schedule.show:show",
    "preview": "lrkeeper.cli.schedule.preview:preview",
    "diff": "lrkeeper.cli.schedule.diff:diff",
    "lint": "lrkeeper.cli.schedule.lint:lint",
    "expand": "lrkeeper.cli.schedule.expand:expand",
    "delete": "lrkeeper.cli.schedule.delete:delete",
}


@click.group(cls=LazyGroup, places=_COMMANDS)
def schedule() -> None:
    """Look at stored schedules and change them.

    Many runs may follow a stored schedule. A schedule file is YAML or JSON: a definition, such as
    `step_lr: {step_size: 30, gamma: 0.1}`, or a `name` and a `schedule` that holds the definition.
    docs/schedule-files.md has the whole language.
    """

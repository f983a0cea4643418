"""The root of the command line."""

from __future__ import annotations

from typing import Any

import click

from lrkeeper import __version__
from lrkeeper.cli.lazy import LazyGroup
from lrkeeper.cli.screen import plain
from lrkeeper.errors import LrkeeperError

_COMMANDS = {
    "serve": "lrkeeper.cli.serve:serve",
    "demo": "lrkeeper.cli.demo:demo",
    "doctor": "lrkeeper.cli.doctor:doctor",
    "schedule": "lrkeeper.cli.schedule:schedule",
    "run": "lrkeeper.cli.run:run",
    "db": "lrkeeper.cli.db:db",
}
"""Command → where it is. A module imports at its top only what is quick: `--help` imports them all."""


class _Root(LazyGroup):
    """Shows an error of lrkeeper as one line, and ends with status 1."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except LrkeeperError as error:
            raise click.ClickException(plain(" ".join(str(error).splitlines()))) from None


@click.group(cls=_Root, places=_COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="lrkeeper")
def lrkeeper() -> None:
    """Keep the learning rate of every training job in one place."""

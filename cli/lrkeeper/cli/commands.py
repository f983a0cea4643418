"""The root of the command line. A command's module is imported when the command is used."""

from __future__ import annotations

from importlib import import_module

import click
from lrkeeper import __version__

_COMMANDS = {
    "serve": "lrkeeper.cli.serve:serve",
}
"""Command → where it is."""


class _Lazy(click.Group):
    """A group whose commands are found by name: `--help` of one does not import all."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, _, name = _COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="lrkeeper")
def lrkeeper() -> None:
    """Keep the learning rate of every training job in one place."""

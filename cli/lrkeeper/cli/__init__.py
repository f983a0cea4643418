"""The command line."""

import sys
from importlib.util import find_spec
from io import TextIOWrapper

_PACKAGES = ("click", "plotille", "rich", "yaml")


def main() -> None:
    """Run the command line; one line says which extra is missing, if one is."""
    for package in _PACKAGES:
        if find_spec(package) is None:
            raise SystemExit(
                f"the lrkeeper command needs {package}: pip install 'lrkeeper[cli]' "
                "(and 'lrkeeper[server]' to serve)"
            )
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that lacks a character shows "?" for it
    from lrkeeper.cli.commands import lrkeeper

    lrkeeper()

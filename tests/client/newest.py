"""The newest runs of a server: one that is shared has thousands."""

from __future__ import annotations

from itertools import islice

from lrkeeper import Client, views

_FEW = 10
"""More than a test makes."""


def newest(client: Client) -> list[views.Run]:
    """Return the newest runs."""
    return list(islice(client.list_runs(page_size=_FEW), _FEW))


def uids(client: Client) -> set[str]:
    """Return the uids of the newest runs: others, if any has been made or deleted since."""
    return {run.uid for run in newest(client)}

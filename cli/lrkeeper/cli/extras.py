"""Parts that need an extra: one line that names it, instead of a traceback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click

_OURS = "lrkeeper"


@contextmanager
def needs(extra: str) -> Iterator[None]:
    """Turn a missing package within into a message that names the extra."""
    try:
        yield
    except ImportError as error:
        missing = (error.name or "").partition(".")[0] or str(error)
        if missing.startswith(_OURS):
            raise
        raise click.ClickException(f"this needs {missing}: pip install 'lrkeeper[{extra}]'") from None

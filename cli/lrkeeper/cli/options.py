"""Options and arguments that several commands take, and the client that --server leads to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import click

from lrkeeper.errors import NotConfigured

if TYPE_CHECKING:
    from lrkeeper import Client

T = TypeVar("T")
_BEYOND = 1 << 53


def utf8(ctx: click.Context, param: click.Parameter, value: T) -> T:
    """Refuse a text whose bytes are none: no message can hold it."""
    try:
        if isinstance(value, str):
            value.encode()
    except UnicodeEncodeError:
        raise click.BadParameter(f"{value!r} is not valid UTF-8", ctx=ctx, param=param) from None
    return value


def _whole_number(least: int) -> Callable[[click.Context, click.Parameter, int | None], int | None]:
    """Return a callback that checks a number's range: one that the wire and both databases hold."""

    def check(ctx: click.Context, param: click.Parameter, value: int | None) -> int | None:
        if value is not None and not least <= value < _BEYOND:
            text = f"{value} is not from {least} to {_BEYOND - 1}"
            raise click.BadParameter(text, ctx=ctx, param=param)
        return value

    return check


a_step = _whole_number(0)
a_revision = _whole_number(1)

server_option = click.option(
    "--server",
    envvar="LRKEEPER_SERVER",
    callback=utf8,
    metavar="HOST:PORT",
    help="The server to ask, or unix:PATH.  [env: LRKEEPER_SERVER]",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
run_argument = click.argument("name", metavar="RUN", callback=utf8)
branch_option = click.option(
    "--branch", type=int, callback=a_revision, metavar="N", help="Another branch than the run's present one."
)


def numbers(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> dict[str, float]:
    """Read NAME=NUMBER, once for each name."""
    found: dict[str, float] = {}
    for value in values:
        name, equals, text = value.partition("=")
        try:
            if not (name and equals):
                raise ValueError
            found[name] = float(text)
        except ValueError:
            raise click.BadParameter(
                f"{value!r} is not NAME=NUMBER, such as total_steps=10000", ctx=ctx, param=param
            ) from None
    return found


def group_names(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[str | None, ...]:
    """Read names of param groups with commas between; an empty one is a group without a name."""
    utf8(ctx, param, value)
    return () if value is None else tuple(name or None for name in value.split(","))


set_option = click.option(
    "--set",
    "parameters",
    multiple=True,
    callback=numbers,
    metavar="NAME=NUMBER",
    help="A number of one of the definition's parameters; once for each.",
)
groups_option = click.option(
    "--groups",
    "groups",
    callback=group_names,
    metavar="NAME,NAME",
    help="The param groups' names; empty for one without a name.",
)


@contextmanager
def connect(server: str | None) -> Iterator[Client]:
    """Give a client of the server. Raises NotConfigured if none is named."""
    from lrkeeper import Client

    if not server:
        raise NotConfigured(
            "no lrkeeper server is named: say --server HOST:PORT, or set LRKEEPER_SERVER "
            "(`lrkeeper serve` prints its address)"
        )
    with Client(server) as client:
        yield client

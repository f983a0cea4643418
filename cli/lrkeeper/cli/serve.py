"""`lrkeeper serve`."""

from __future__ import annotations

import click

from lrkeeper.cli.extras import needs


def default_database_url() -> str:
    """Return the URL of a SQLite file in the user's data directory."""
    with needs("server"):
        from platformdirs import user_data_path

    return f"sqlite:///{user_data_path('lrkeeper', appauthor=False) / 'lrkeeper.sqlite3'}"


database_url_option = click.option(
    "--database-url",
    envvar="LRKEEPER_DATABASE_URL",
    metavar="URL",
    help="sqlite:///FILE or postgresql://…  [env: LRKEEPER_DATABASE_URL; default: a SQLite file in the "
    "user's data directory]",
)


@click.command()
@click.option(
    "--listen",
    envvar="LRKEEPER_LISTEN",
    default="127.0.0.1:50051",
    show_default=True,
    metavar="HOST:PORT",
    help="Where to serve: host:port (port 0: any free one) or unix:PATH.  [env: LRKEEPER_LISTEN]",
)
@database_url_option
@click.option(
    "--insecure", is_flag=True, help="Allow an address that other machines reach, without TLS and tokens."
)
@click.option(
    "--max-connection-age",
    envvar="LRKEEPER_MAX_CONNECTION_AGE",
    type=click.FloatRange(min=1, max=86_400),
    default=1800.0,
    show_default=True,
    metavar="SECONDS",
    help="When clients are asked to connect anew, so that they spread over servers.  "
    "[env: LRKEEPER_MAX_CONNECTION_AGE]",
)
def serve(listen: str, database_url: str | None, insecure: bool, max_connection_age: float) -> None:
    """Run the server, until SIGTERM or Ctrl-C."""
    with needs("server"):
        from lrkeeper.server import app, logs
        from lrkeeper.server.storage.engine import CannotOpen

    if not listen.startswith("unix:"):
        port = listen.rpartition(":")[2]
        if not port.isdecimal() or int(port) > 65_535:
            raise click.UsageError(
                f"--listen is {listen!r}; it must be HOST:PORT, the port from 0 to 65535, or unix:PATH"
            )
    if not app.is_loopback(listen) and not insecure:
        raise click.UsageError(
            f"{listen} can be reached from other machines, and this version has neither TLS nor tokens: "
            "listen on 127.0.0.1, or say --insecure if the network is trusted"
        )
    logs.configure()
    try:
        app.serve(
            listen,
            database_url or default_database_url(),
            lambda address: click.echo(f"listening on {address}"),
            max_connection_age,
        )
    except (CannotOpen, app.CannotListen) as error:
        raise click.ClickException(str(error)) from None

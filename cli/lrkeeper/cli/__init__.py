"""The command line."""


def main() -> None:
    """Run the command line; one line says which extra is missing, if one is."""
    try:
        import click  # noqa: F401
        import plotille  # noqa: F401
        import rich  # noqa: F401
        import yaml  # noqa: F401
    except ImportError as error:
        raise SystemExit(
            f"the lrkeeper command needs {error.name}: pip install 'lrkeeper[cli]' "
            "(and 'lrkeeper[server]' to serve)"
        ) from None
    from lrkeeper.cli.commands import lrkeeper

    lrkeeper()

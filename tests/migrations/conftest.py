"""Empty databases of every kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Engine

from lrkeeper.server.storage.sql import SqlStorage


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.import_plugin("tests.support.databases")


@pytest.fixture
def start() -> Iterator[Callable[[Engine], SqlStorage]]:
    """Make storages that are closed in the end."""
    started: list[SqlStorage] = []

    def start(engine: Engine) -> SqlStorage:
        started.append(SqlStorage(engine))
        return started[-1]

    yield start
    for storage in started:
        storage.close()

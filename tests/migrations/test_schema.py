"""The migrations lead to the tables, up, down, and up again with data."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, func, inspect, select

from lrkeeper import migrations
from lrkeeper.server.storage import tables
from lrkeeper.server.storage.engine import make_engine, parse_url, prepare_schema
from lrkeeper.server.storage.sql import SqlStorage
from lrkeeper.server.storage.transaction import SqlTransaction
from tests.contract import samples
from tests.contract.calls import Calls
from tests.migrations.schema import described
from tests.support.databases import Database, Fresh


@pytest.fixture
def engine(database: Database) -> Iterator[Engine]:
    """An engine on an empty database."""
    engine = make_engine(parse_url(database.url))
    yield engine
    engine.dispose()


def fill(engine: Engine) -> None:
    """Put a row, at least, into every table."""
    schedule = samples.a_schedule()
    run = samples.a_run(name="filled", schedule_uid=schedule.uid, labels={"team": samples.WORDS})
    with engine.begin() as connection:
        samples.insert(
            SqlTransaction(connection),
            schedule,
            run,
            samples.a_branch(run),
            samples.an_incarnation(run),
            samples.an_edit(run, schedule_uid=schedule.uid, schedule_revision=1),
            samples.a_block(run, 1, 5),
            samples.a_progress(run),
            samples.a_deviation(run),
            samples.a_lost_edit(run),
        )
        for table in tables.metadata.tables.values():
            assert connection.execute(select(func.count()).select_from(table)).scalar_one(), table.name


def test_the_migrations_lead_from_an_empty_database_to_the_tables(engine: Engine) -> None:
    migrations.upgrade(engine)

    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), tables.metadata) == []
    assert migrations.current(engine) == migrations.head()


def test_the_migrated_schema_is_to_the_letter_that_of_the_tables(
    engine: Engine, kind: str, fresh: Fresh
) -> None:
    migrations.upgrade(engine)
    with fresh(kind) as other:
        made = make_engine(parse_url(other.url))
        tables.metadata.create_all(made)
        expected = described(made)
        made.dispose()

    assert len(expected) >= len(tables.metadata.tables)
    assert described(engine) == expected


def test_every_migration_goes_up_down_and_up_again_with_data(engine: Engine) -> None:
    migrations.upgrade(engine)
    at_first = described(engine)
    fill(engine)

    migrations.downgrade(engine, "base")
    assert set(inspect(engine).get_table_names()) <= {"alembic_version"}
    migrations.upgrade(engine)
    assert described(engine) == at_first
    fill(engine)


def test_a_database_taken_back_to_nothing_is_created_anew(engine: Engine) -> None:
    prepare_schema(engine)
    migrations.downgrade(engine, "base")

    prepare_schema(engine)
    fill(engine)


def test_an_empty_database_gets_the_schema_and_an_epoch_of_its_own(
    engine: Engine, kind: str, fresh: Fresh, start: Callable[[Engine], SqlStorage]
) -> None:
    prepare_schema(engine)
    prepare_schema(engine)
    run = samples.a_run()
    storage = start(engine)
    Calls(storage).store(run)
    assert Calls(storage).advance(samples.advance_of(run)) is True

    with fresh(kind) as other:
        second = make_engine(parse_url(other.url))
        prepare_schema(second)
        assert start(second).epoch != storage.epoch
        second.dispose()


def test_a_migration_that_fails_changes_nothing(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both databases take changes of the schema back; a half-made one would be in nobody's hands."""

    def fail(_: int) -> str:
        raise OSError("no randomness")

    with monkeypatch.context() as patch:
        patch.setattr("secrets.token_hex", fail)
        with pytest.raises(OSError, match="no randomness"):
            migrations.upgrade(engine)
    assert inspect(engine).get_table_names() == []

    prepare_schema(engine)
    fill(engine)

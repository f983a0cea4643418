"""The tables. Times are microseconds since 1970 (UTC), texts of definitions canonical proto-JSON.

Every key is led by the run, so the tables partition by it. `migrations` must lead to exactly this; a
test compares them.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    text,
)
from sqlalchemy.types import TypeEngine, UserDefinedType

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_N_label)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

UID = String(36)

# Names sort by code point, as on SQLite, whatever the database's language.
NAME = String(128).with_variant(String(128, collation="C"), "postgresql")
TRACK = String(64).with_variant(String(64, collation="C"), "postgresql")


class _Exact(UserDefinedType[float]):
    """A column of no type, in which SQLite keeps a double as it is: one of type REAL drops the sign of -0.0."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        return ""


DOUBLE: TypeEngine[float] = Double().with_variant(_Exact(), "sqlite")

meta = Table(
    "meta",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("value", Text, nullable=False),
)

schedules = Table(
    "schedules",
    metadata,
    Column("uid", UID, primary_key=True),
    Column("name", NAME, nullable=False),
    Column("head_revision", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("deleted_at", BigInteger),
)
Index(
    "ix_schedules_name",
    schedules.c.name,
    unique=True,
    sqlite_where=text("deleted_at IS NULL"),
    postgresql_where=text("deleted_at IS NULL"),
)

schedule_revisions = Table(
    "schedule_revisions",
    metadata,
    Column("schedule_uid", UID, ForeignKey(schedules.c.uid), primary_key=True),
    Column("revision", BigInteger, primary_key=True),
    Column("definition", Text, nullable=False),
    Column("request_id", UID, nullable=False),
    Column("author", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("rolled_out", Boolean, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Index("ix_schedule_revisions_request_id", "schedule_uid", "request_id", unique=True),
)

runs = Table(
    "runs",
    metadata,
    Column("uid", UID, primary_key=True),
    Column("name", NAME, nullable=False),
    Column("state", String(16), nullable=False),
    Column("unit", String(32), nullable=False),
    Column("branch", BigInteger, nullable=False),
    Column("fence", BigInteger, nullable=False),
    Column("frontier", BigInteger, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("cursor", Text, nullable=False),
    Column("evaluator_version", String(16), nullable=False),
    Column("schedule_uid", UID, ForeignKey(schedules.c.uid), index=True),
    Column("created_at", BigInteger, nullable=False),
    Column("heard_at", BigInteger, nullable=False),
    Column("heard_every", BigInteger, nullable=False),
    Column("finished_at", BigInteger),
    Column("deleted_at", BigInteger),
    Column("forked_from_uid", UID, index=True),
    Column("forked_from_name", NAME),
    Column("forked_from_branch", BigInteger),
    Column("forked_from_step", BigInteger),
)
Index(
    "ix_runs_name",
    runs.c.name,
    unique=True,
    sqlite_where=text("deleted_at IS NULL"),
    postgresql_where=text("deleted_at IS NULL"),
)

run_labels = Table(
    "run_labels",
    metadata,
    Column("run_uid", UID, ForeignKey(runs.c.uid), primary_key=True),
    Column("key", String(128), primary_key=True),
    Column("value", String(256), nullable=False),
    Index("ix_run_labels_key_value", "key", "value"),
)

branches = Table(
    "branches",
    metadata,
    Column("run_uid", UID, ForeignKey(runs.c.uid), primary_key=True),
    Column("branch", BigInteger, primary_key=True),
    Column("parent", BigInteger),
    Column("fork_step", BigInteger),
    Column("definition", Text, nullable=False),
    Column("schedule_uid", UID, ForeignKey(schedules.c.uid)),
    Column("schedule_revision", BigInteger),
    Column("revision", BigInteger, nullable=False),
    Column("origin_step", BigInteger, nullable=False),
    Column("origin_values", LargeBinary, nullable=False),
    Column("origin_cursor", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("parameters", Text),
    Column("author", Text),
    Column("reason", Text),
    Column("request_id", UID),
    Column("digest", String(64)),
    Column("fence", BigInteger),
    Index("ix_branches_request_id", "run_uid", "request_id", unique=True),
)

param_groups = Table(
    "param_groups",
    metadata,
    Column("run_uid", UID, ForeignKey(runs.c.uid), primary_key=True),
    Column("branch", BigInteger, primary_key=True),
    Column("place", Integer, primary_key=True),
    Column("track", TRACK, primary_key=True),
    Column("name", Text),
    Column("number", String(16), nullable=False),
    Column("initial", DOUBLE, nullable=False),
    Column("current", DOUBLE, nullable=False),
)

incarnations = Table(
    "incarnations",
    metadata,
    Column("run_uid", UID, ForeignKey(runs.c.uid), primary_key=True),
    Column("incarnation", NAME, primary_key=True),
    Column("fence", BigInteger, nullable=False),
    Column("branch", BigInteger, nullable=False),
    Column("resume_step", BigInteger, nullable=False),
    Column("attempt", BigInteger),
    Column("world_size", Integer, nullable=False),
    Column("labels", Text, nullable=False),
    Column("acquired_at", BigInteger, nullable=False),
    Column("on_resume", String(16)),
    Index("ix_incarnations_fence", "run_uid", "fence", unique=True),
)

blocks = Table(
    "blocks",
    metadata,
    Column("run_uid", UID, primary_key=True),
    Column("branch", BigInteger, primary_key=True),
    Column("first_step", BigInteger, primary_key=True),
    Column("count", Integer, nullable=False),
    Column("tracks", Text, nullable=False),
    Column("groups", Integer, nullable=False),
    Column("data", LargeBinary, nullable=False),
    Column("crc", BigInteger, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("fence", BigInteger, nullable=False),
    Column("cursor", Text, nullable=False),
    Column("evaluator_version", String(16), nullable=False),
    Column("given", Text),
    sqlite_with_rowid=False,
)

edits = Table(
    "edits",
    metadata,
    Column("run_uid", UID, ForeignKey(runs.c.uid), primary_key=True),
    Column("revision", BigInteger, primary_key=True),
    Column("branch", BigInteger, nullable=False),
    Column("request_id", UID, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("operation", String(32), nullable=False),
    Column("definition", Text, nullable=False),
    Column("schedule_uid", UID, ForeignKey(schedules.c.uid)),
    Column("schedule_revision", BigInteger),
    Column("effective_step", BigInteger, nullable=False),
    Column("clamped", Boolean, nullable=False),
    Column("cursor", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("parameters", Text),
    Index("ix_edits_request_id", "run_uid", "request_id", unique=True),
)

rank_progress = Table(
    "rank_progress",
    metadata,
    Column("run_uid", UID, primary_key=True),
    Column("fence", BigInteger, primary_key=True),
    Column("data", Text, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
)

deviations = Table(
    "deviations",
    metadata,
    Column("run_uid", UID, ForeignKey(runs.c.uid), primary_key=True),
    Column("branch", BigInteger, primary_key=True),
    Column("fence", BigInteger, primary_key=True),
    Column("rank", Integer, primary_key=True),
    Column("first_step", BigInteger, primary_key=True),
    Column("count", Integer, nullable=False),
    Column("tracks", Text, nullable=False),
    Column("groups", Integer, nullable=False),
    Column("data", LargeBinary, nullable=False),
    Column("crc", BigInteger, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("created_at", BigInteger, nullable=False),
)

lost_edits = Table(
    "lost_edits",
    metadata,
    Column("run_uid", UID, ForeignKey(runs.c.uid), primary_key=True),
    Column("request_id", UID, primary_key=True),
    Column("branch", BigInteger, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("effective_step", BigInteger, nullable=False),
    Column("definition", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("found_at", BigInteger, nullable=False),
)

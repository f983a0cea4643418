"""The first schema."""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

NAME = sa.String(128).with_variant(sa.String(128, collation="C"), "postgresql")
TRACK = sa.String(64).with_variant(sa.String(64, collation="C"), "postgresql")


class Exact(sa.types.UserDefinedType[float]):
    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        return ""


DOUBLE: sa.types.TypeEngine[float] = sa.Double().with_variant(Exact(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "blocks",
        sa.Column("run_uid", sa.String(length=36), nullable=False),
        sa.Column("branch", sa.BigInteger(), nullable=False),
        sa.Column("first_step", sa.BigInteger(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("tracks", sa.Text(), nullable=False),
        sa.Column("groups", sa.Integer(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("crc", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("cursor", sa.Text(), nullable=False),
        sa.Column("evaluator_version", sa.String(length=16), nullable=False),
        sa.PrimaryKeyConstraint("run_uid", "branch", "first_step", name=op.f("pk_blocks")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "meta",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_meta")),
    )
    op.create_table(
        "schedules",
        sa.Column("uid", sa.String(length=36), nullable=False),
        sa.Column("name", NAME, nullable=False),
        sa.Column("head_revision", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("deleted_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("uid", name=op.f("pk_schedules")),
    )
    op.create_index(
        "ix_schedules_name",
        "schedules",
        ["name"],
        unique=True,
        sqlite_where=sa.text("deleted_at IS NULL"),
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_table(
        "runs",
        sa.Column("uid", sa.String(length=36), nullable=False),
        sa.Column("name", NAME, nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("unit", sa.String(length=32), nullable=False),
        sa.Column("branch", sa.BigInteger(), nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("frontier", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("cursor", sa.Text(), nullable=False),
        sa.Column("evaluator_version", sa.String(length=16), nullable=False),
        sa.Column("schedule_uid", sa.String(length=36), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("heard_at", sa.BigInteger(), nullable=False),
        sa.Column("heard_every", sa.BigInteger(), nullable=False),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.Column("deleted_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["schedule_uid"], ["schedules.uid"], name=op.f("fk_runs_schedule_uid_schedules")
        ),
        sa.PrimaryKeyConstraint("uid", name=op.f("pk_runs")),
    )
    op.create_index(
        "ix_runs_name",
        "runs",
        ["name"],
        unique=True,
        sqlite_where=sa.text("deleted_at IS NULL"),
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_index(op.f("ix_runs_schedule_uid"), "runs", ["schedule_uid"], unique=False)
    op.create_table(
        "schedule_revisions",
        sa.Column("schedule_uid", sa.String(length=36), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("definition", sa.Text(), nullable=False),
        sa.Column("request_id", sa.String(length=36), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("rolled_out", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["schedule_uid"], ["schedules.uid"], name=op.f("fk_schedule_revisions_schedule_uid_schedules")
        ),
        sa.PrimaryKeyConstraint("schedule_uid", "revision", name=op.f("pk_schedule_revisions")),
    )
    op.create_index(
        "ix_schedule_revisions_request_id", "schedule_revisions", ["schedule_uid", "request_id"], unique=True
    )
    op.create_table(
        "branches",
        sa.Column("run_uid", sa.String(length=36), nullable=False),
        sa.Column("branch", sa.BigInteger(), nullable=False),
        sa.Column("parent", sa.BigInteger(), nullable=True),
        sa.Column("fork_step", sa.BigInteger(), nullable=True),
        sa.Column("definition", sa.Text(), nullable=False),
        sa.Column("schedule_uid", sa.String(length=36), nullable=True),
        sa.Column("schedule_revision", sa.BigInteger(), nullable=True),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("origin_step", sa.BigInteger(), nullable=False),
        sa.Column("origin_values", sa.LargeBinary(), nullable=False),
        sa.Column("origin_cursor", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["run_uid"], ["runs.uid"], name=op.f("fk_branches_run_uid_runs")),
        sa.ForeignKeyConstraint(
            ["schedule_uid"], ["schedules.uid"], name=op.f("fk_branches_schedule_uid_schedules")
        ),
        sa.PrimaryKeyConstraint("run_uid", "branch", name=op.f("pk_branches")),
    )
    op.create_table(
        "edits",
        sa.Column("run_uid", sa.String(length=36), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("branch", sa.BigInteger(), nullable=False),
        sa.Column("request_id", sa.String(length=36), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("operation", sa.String(length=32), nullable=False),
        sa.Column("definition", sa.Text(), nullable=False),
        sa.Column("schedule_uid", sa.String(length=36), nullable=True),
        sa.Column("schedule_revision", sa.BigInteger(), nullable=True),
        sa.Column("effective_step", sa.BigInteger(), nullable=False),
        sa.Column("clamped", sa.Boolean(), nullable=False),
        sa.Column("cursor", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["run_uid"], ["runs.uid"], name=op.f("fk_edits_run_uid_runs")),
        sa.ForeignKeyConstraint(
            ["schedule_uid"], ["schedules.uid"], name=op.f("fk_edits_schedule_uid_schedules")
        ),
        sa.PrimaryKeyConstraint("run_uid", "revision", name=op.f("pk_edits")),
    )
    op.create_index("ix_edits_request_id", "edits", ["run_uid", "request_id"], unique=True)
    op.create_table(
        "incarnations",
        sa.Column("run_uid", sa.String(length=36), nullable=False),
        sa.Column("incarnation", NAME, nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("branch", sa.BigInteger(), nullable=False),
        sa.Column("resume_step", sa.BigInteger(), nullable=False),
        sa.Column("attempt", sa.BigInteger(), nullable=True),
        sa.Column("world_size", sa.Integer(), nullable=False),
        sa.Column("labels", sa.Text(), nullable=False),
        sa.Column("acquired_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["run_uid"], ["runs.uid"], name=op.f("fk_incarnations_run_uid_runs")),
        sa.PrimaryKeyConstraint("run_uid", "incarnation", name=op.f("pk_incarnations")),
    )
    op.create_index("ix_incarnations_fence", "incarnations", ["run_uid", "fence"], unique=True)
    op.create_table(
        "param_groups",
        sa.Column("run_uid", sa.String(length=36), nullable=False),
        sa.Column("branch", sa.BigInteger(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("track", TRACK, nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("number", sa.String(length=16), nullable=False),
        sa.Column("initial", DOUBLE, nullable=False),
        sa.Column("current", DOUBLE, nullable=False),
        sa.ForeignKeyConstraint(["run_uid"], ["runs.uid"], name=op.f("fk_param_groups_run_uid_runs")),
        sa.PrimaryKeyConstraint("run_uid", "branch", "place", "track", name=op.f("pk_param_groups")),
    )
    op.create_table(
        "run_labels",
        sa.Column("run_uid", sa.String(length=36), nullable=False),
        sa.Column("key", sa.String(length=128), nullable=False),
        sa.Column("value", sa.String(length=256), nullable=False),
        sa.ForeignKeyConstraint(["run_uid"], ["runs.uid"], name=op.f("fk_run_labels_run_uid_runs")),
        sa.PrimaryKeyConstraint("run_uid", "key", name=op.f("pk_run_labels")),
    )
    op.create_index("ix_run_labels_key_value", "run_labels", ["key", "value"], unique=False)
    meta = sa.table("meta", sa.column("key", sa.Text), sa.column("value", sa.Text))
    op.bulk_insert(meta, [{"key": "store_epoch", "value": secrets.token_hex(16)}])


def downgrade() -> None:
    op.drop_index("ix_run_labels_key_value", table_name="run_labels")
    op.drop_table("run_labels")
    op.drop_table("param_groups")
    op.drop_index("ix_incarnations_fence", table_name="incarnations")
    op.drop_table("incarnations")
    op.drop_index("ix_edits_request_id", table_name="edits")
    op.drop_table("edits")
    op.drop_table("branches")
    op.drop_index("ix_schedule_revisions_request_id", table_name="schedule_revisions")
    op.drop_table("schedule_revisions")
    op.drop_index(op.f("ix_runs_schedule_uid"), table_name="runs")
    op.drop_index(
        "ix_runs_name",
        table_name="runs",
        sqlite_where=sa.text("deleted_at IS NULL"),
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.drop_table("runs")
    op.drop_index(
        "ix_schedules_name",
        table_name="schedules",
        sqlite_where=sa.text("deleted_at IS NULL"),
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.drop_table("schedules")
    op.drop_table("meta")
    op.drop_table("blocks")

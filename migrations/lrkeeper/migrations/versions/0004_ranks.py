"""What jobs of several ranks need: progress, deviations, lost edits; who made a branch; where a run was forked."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_NAME = sa.String(128).with_variant(sa.String(128, collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "rank_progress",
        sa.Column("run_uid", sa.String(36), nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("run_uid", "fence", name="pk_rank_progress"),
    )
    op.create_table(
        "deviations",
        sa.Column("run_uid", sa.String(36), nullable=False),
        sa.Column("branch", sa.BigInteger(), nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("first_step", sa.BigInteger(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("tracks", sa.Text(), nullable=False),
        sa.Column("groups", sa.Integer(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("crc", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["run_uid"], ["runs.uid"], name="fk_deviations_run_uid_runs"),
        sa.PrimaryKeyConstraint("run_uid", "branch", "fence", "rank", "first_step", name="pk_deviations"),
    )
    op.create_table(
        "lost_edits",
        sa.Column("run_uid", sa.String(36), nullable=False),
        sa.Column("request_id", sa.String(36), nullable=False),
        sa.Column("branch", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("effective_step", sa.BigInteger(), nullable=False),
        sa.Column("definition", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("found_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["run_uid"], ["runs.uid"], name="fk_lost_edits_run_uid_runs"),
        sa.PrimaryKeyConstraint("run_uid", "request_id", name="pk_lost_edits"),
    )
    op.add_column("branches", sa.Column("author", sa.Text(), nullable=True))
    op.add_column("branches", sa.Column("reason", sa.Text(), nullable=True))
    op.add_column("branches", sa.Column("request_id", sa.String(36), nullable=True))
    op.add_column("branches", sa.Column("digest", sa.String(64), nullable=True))
    op.add_column("branches", sa.Column("fence", sa.BigInteger(), nullable=True))
    op.create_index("ix_branches_request_id", "branches", ["run_uid", "request_id"], unique=True)
    op.add_column("runs", sa.Column("forked_from_uid", sa.String(36), nullable=True))
    op.add_column("runs", sa.Column("forked_from_name", _NAME, nullable=True))
    op.add_column("runs", sa.Column("forked_from_branch", sa.BigInteger(), nullable=True))
    op.add_column("runs", sa.Column("forked_from_step", sa.BigInteger(), nullable=True))
    op.create_index("ix_runs_forked_from_uid", "runs", ["forked_from_uid"])
    op.add_column("incarnations", sa.Column("on_resume", sa.String(16), nullable=True))


def downgrade() -> None:
    op.drop_column("incarnations", "on_resume")
    op.drop_index("ix_runs_forked_from_uid", "runs")
    for column in ("step", "branch", "name", "uid"):
        op.drop_column("runs", f"forked_from_{column}")
    op.drop_index("ix_branches_request_id", "branches")
    for column in ("fence", "digest", "request_id", "reason", "author"):
        op.drop_column("branches", column)
    op.drop_table("lost_edits")
    op.drop_table("deviations")
    op.drop_table("rank_progress")

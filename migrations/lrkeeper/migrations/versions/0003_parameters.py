"""The numbers that a run gave to its definition's parameters are stored with its branches and edits."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("branches", sa.Column("parameters", sa.Text(), nullable=True))
    op.add_column("edits", sa.Column("parameters", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("edits", "parameters")
    op.drop_column("branches", "parameters")

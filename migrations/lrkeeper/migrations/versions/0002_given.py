"""What a step learned from outside is stored with its block."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("blocks", sa.Column("given", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("blocks", "given")

"""What rests on a manager's change and is still to be decided again."""

from alembic import op
from sqlalchemy import BigInteger, Column, Integer, Text

revision = "0005"
down_revision = "0004"

KEY = BigInteger().with_variant(Integer, "sqlite")


def upgrade() -> None:
    """A list, empty at first."""
    op.create_table(
        "unsettled",
        Column("id", KEY, primary_key=True, autoincrement=True),
        Column("stage", Text, nullable=False),
        Column("ref_kind", Text, nullable=False),
        Column("ref_id", KEY, nullable=False),
    )

"""Categories that come and go while a campaign runs: questions of their own, and when a state changed."""

from alembic import op
from sqlalchemy import BigInteger, Column, Integer, Text, text

revision = "0004"
down_revision = "0003"

KEY = BigInteger().with_variant(Integer, "sqlite")


def _number(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False, server_default=text("0"))


def upgrade() -> None:
    """What has been asked so far is question 0."""
    op.create_table(
        "question",
        Column("id", KEY, primary_key=True, autoincrement=True),
        Column("categories_json", Text, nullable=False),
        Column("created_at", BigInteger, nullable=False),
    )
    op.add_column("category", _number("changed_at"))
    op.add_column("unit", _number("question"))
    op.drop_index("uq_unit_open", "unit")
    is_open = text("state = 'open'")
    columns = ["stage", "ref_kind", "ref_id", "question"]
    op.create_index(
        "uq_unit_open", "unit", columns, unique=True, sqlite_where=is_open, postgresql_where=is_open
    )

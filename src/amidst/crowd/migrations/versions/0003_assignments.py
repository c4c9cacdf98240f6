"""What platforms will pay for, as rows."""

from alembic import op
from sqlalchemy import BigInteger, Column, ForeignKey, Integer, Text, UniqueConstraint, text

revision = "0003"
down_revision = "0002"

KEY = BigInteger().with_variant(Integer, "sqlite")


def upgrade() -> None:
    """A new table."""
    words = [
        Column(name, Text, nullable=False) for name in ("provider", "external_id", "stage", "order_name")
    ]
    op.create_table(
        "assignment",
        Column("id", KEY, primary_key=True, autoincrement=True),
        *words,
        Column("hit", Text, nullable=False, server_default=text("''")),
        Column("worker_id", KEY, ForeignKey("worker.id", name="fk_assignment_worker_id"), nullable=False),
        Column("entered_at", BigInteger, nullable=False),
        Column("finished_at", BigInteger),
        UniqueConstraint("provider", "external_id", name="uq_assignment_provider_external_id"),
    )
    op.create_index("ix_assignment_worker_id", "assignment", ["worker_id"])

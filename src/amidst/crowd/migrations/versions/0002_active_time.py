"""The active time of an answer as a column; indexes from which workers and voids are counted."""

from alembic import op
from sqlalchemy import BigInteger, Column, text

revision = "0002"
down_revision = "0001"

READ = {
    "sqlite": "json_extract(client_json, '$.ms_active')",
    "postgresql": "CAST(CAST(client_json AS json) ->> 'ms_active' AS bigint)",
}


def upgrade() -> None:
    """What pages have measured so far stands in client_json."""
    op.add_column("answer", Column("ms_active", BigInteger, nullable=False, server_default=text("0")))
    read = READ[op.get_bind().dialect.name]
    op.execute(text(f"UPDATE answer SET ms_active = COALESCE({read}, 0)"))
    op.drop_index("ix_answer_worker", "answer")
    columns = ["worker_id", "stage", "status", "voided_by", "ms_active", "created_at"]
    op.create_index("ix_answer_worker", "answer", columns)
    some = text("voided_by IS NOT NULL")
    op.create_index("ix_answer_voided_by", "answer", ["voided_by"], sqlite_where=some, postgresql_where=some)

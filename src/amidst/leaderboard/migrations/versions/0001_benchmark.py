"""The first schema, from the SQL beside this file."""

from pathlib import Path

from alembic import op
from sqlalchemy import text

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Creates every table and index."""
    dialect = op.get_bind().dialect.name
    sql = (Path(__file__).parent / f"0001_{dialect}.sql").read_text(encoding="utf-8")
    for statement in sql.split(";\n"):
        if statement.strip():
            op.execute(text(statement))

"""The index in which submissions are searched."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """What is searched by stands in it."""
    op.create_index("ix_submission_search", "submission", ["id", "team_id", "state", "method"])

"""Columns as all schemas write them, and how constraints are named.

Integer keys; times are UTC microseconds; JSON as text. The same schema serves SQLite and PostgreSQL.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Float, ForeignKey, Integer, MetaData, Text, text

Key = BigInteger().with_variant(Integer, "sqlite")  # only INTEGER counts up by itself in SQLite


def new_metadata() -> MetaData:
    """A schema without tables yet."""
    return MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


def key_column() -> Column[int]:
    return Column("id", Key, primary_key=True, autoincrement=True)


def link(name: str, target: str, *, null: bool = False, index: bool = False) -> Column[int]:
    return Column(name, Key, ForeignKey(f"{target}.id"), nullable=null, index=index)


def text_column(name: str, default: str | None = None) -> Column[str]:
    return Column(name, Text, nullable=False, server_default=default)


def int_column(name: str, default: int | None = None, *, null: bool = False) -> Column[int]:
    start = None if default is None else text(str(default))
    return Column(name, BigInteger, nullable=null, server_default=start)


def real_column(name: str, *, null: bool = False) -> Column[float]:
    return Column(name, Float(53), nullable=null)


def flag_column(name: str) -> Column[bool]:
    return Column(name, Boolean, nullable=False, server_default=text("false"))

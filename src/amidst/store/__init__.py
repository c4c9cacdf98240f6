"""Databases, SQLite or PostgreSQL, that plain functions read and write; shared by crowd and leaderboard."""

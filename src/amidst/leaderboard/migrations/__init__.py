"""The history of a benchmark's schema, as `store/opening.py` says.

A test compares the result of all migrations with `schema.metadata`.
"""

HEAD = "0002"

"""The history of a campaign's schema, as `store/opening.py` says.

A test compares the result of all migrations with `schema.metadata`.
"""

HEAD = "0005"

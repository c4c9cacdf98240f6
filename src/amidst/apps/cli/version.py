"""The version of the installed package."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def amidst_version() -> str:
    """Such as "0.1.0"; "unknown" where the package runs from its sources without being installed."""
    try:
        return version("amidst")
    except PackageNotFoundError:
        return "unknown"

"""The command line. `main` is the console script `amidst`; a file per command group stands beside `root`."""

from __future__ import annotations

from amidst.apps.cli.root import main

__all__ = ["main"]

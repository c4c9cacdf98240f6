"""`python -m amidst`, the same as the console script `amidst` (torchrun starts modules this way)."""

from __future__ import annotations

from amidst.apps.cli.root import main

if __name__ == "__main__":
    main()

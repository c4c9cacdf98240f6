"""`amidst dataset duplicates --engine`: pictures read in parts, on processes or a Ray cluster."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from amidst.apps.cli.engines import engine_of, run_job
from amidst.apps.cluster.fingerprinting import Fingerprinting
from amidst.apps.cluster.parts import Plan, read_rows
from amidst.apps.cluster.places import address_of, place_of
from amidst.curation.fingerprints import Fingerprints, gather, unpack
from amidst.errors import FindingError, ImageError

PART = 128  # pictures


def read_fingerprints(
    images: Path, names: Sequence[str] | None, cache: Path | None, engine: str, workers: int
) -> Fingerprints:
    """Fingerprints of `names` below a place, or of all pictures there.

    cache: folder of the parts, which a later run goes on with. Raises FindingError where parts failed.
    """
    run = engine_of(engine)
    place = place_of(images)
    listed = place.items(names)
    with tempfile.TemporaryDirectory(prefix="amidst-") as folder:
        output = place_of(folder if cache is None else cache)
        plan = Plan(tuple(listed), PART, output, "parquet")
        summary = run_job("reading images", Fingerprinting(place), plan, run, workers)
        if summary["failed"]:
            raise FindingError(
                f"{summary['failed']} of {summary['parts']} parts could not be read; run the command again"
                + (" with --cache FOLDER, to keep what was done" if cache is None else "")
            )
        rows = list(read_rows(plan))
    good = [row for row in rows if row["error"] is None]
    prints = gather([unpack(row["record"]) for row in good], [row["file_name"] for row in good])
    broken = [
        ImageError(row["error"], file=f"{address_of(images)}/{row['file_name']}", rule="unreadable-image")
        for row in rows
        if row["error"] is not None
    ]
    return replace(prints, broken=tuple(broken))

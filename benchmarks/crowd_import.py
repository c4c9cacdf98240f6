"""Time and memory of taking photographs into a campaign: `amidst crowd init`.

    python benchmarks/crowd_import.py                 # 1,000 and 10,000 photographs; a COCO file of 525 MB
    python benchmarks/crowd_import.py --images 200 --records 1000

Photographs of 640 x 480 pixels, all different, are drawn first. Each `init` runs in a process of its own, as
a user would type it; peak memory is that of the largest of its processes, as the system reports it. The last
one reads photographers and licences from a COCO file with annotations (--records: images in that file).
Goals: no growth per item, 400 MB.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import timing
from coco_like import generate
from PIL import Image

RESULTS = Path(__file__).parent / "results" / "crowd_import.json"


def draw(folder: Path, number: int) -> None:
    """Photographs of coarse noise, some 40 kB each."""
    folder.mkdir()
    rng = np.random.default_rng(7)
    for n in range(number):
        coarse = Image.fromarray(rng.integers(0, 256, (60, 80, 3), dtype=np.uint8))
        coarse.resize((640, 480), Image.Resampling.BICUBIC).save(folder / f"{n:06}.jpg", quality=85)


def take_in(campaign: Path, photographs: Path, records: Path | None) -> tuple[float, float]:
    """Seconds, and the most memory of one process in MB."""
    command = [sys.executable, "-m", "amidst", "crowd", "init", str(campaign), "--images", str(photographs)]
    command += ["--records", str(records)] if records else []
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise RuntimeError(f"{' '.join(command)} failed")
    return time.perf_counter() - start, used.ru_maxrss / 1024


def measure(folder: Path, images: int, recorded: int) -> list[timing.Row]:
    few, many, records = folder / "few", folder / "many", folder / "records.json"
    draw(few, images // 10)
    draw(many, images)
    generate(records, recorded)
    rows: list[timing.Row] = []
    for name, photographs, file in (("few", few, None), ("many", many, None), ("records", few, records)):
        number = images if photographs is many else images // 10
        seconds, most_mb = take_in(folder / f"campaign-{name}", photographs, file)
        rows.append(
            {
                "photographs": number,
                "records_mb": round(file.stat().st_size / 2**20) if file else 0,
                "seconds": round(seconds, 1),
                "ms_per_photograph": round(1e3 * seconds / number, 2),
                "at_most_mb": round(most_mb),
            }
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--records", type=int, default=118_000)
    parser.add_argument("--output", type=Path, default=RESULTS)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(Path(folder), given.images, given.records)
    timing.show(rows)
    timing.write(given.output, "python benchmarks/crowd_import.py", "wall", rows)


if __name__ == "__main__":
    main()

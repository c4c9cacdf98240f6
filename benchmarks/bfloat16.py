"""What bfloat16 loses and saves: photographs predicted with 32 and with 16 bits, scored and timed.

    python benchmarks/bfloat16.py person runs/r50        the built-in model and a trained run, on coco_person

`processor_s` is of the whole command, so with reading the photographs and the start of Python; the difference
is smaller than of the network alone (`network.json`, `export.json`).
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from timing import Row, show, write

from amidst import evaluate

RESULTS = Path(__file__).parent / "results" / "bfloat16.json"


def predicted(model: str, precision: str, data: Path, output: Path) -> tuple[float, float, float]:
    """AP and AP50 in hundredths, and processor seconds."""
    truth = data / "annotations" / "person_val.json"
    words = ["predict", model, "--ann", str(truth), "--images", str(data / "images"), "-o", str(output)]
    command = [sys.executable, "-m", "amidst", *words, "--precision", precision]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, done.stderr[-2000:]
    scores = evaluate(truth, output)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return 100 * scores.ap, 100 * scores.ap50, spent


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    shared = Path(os.environ.get("AMIDST_SHARED", Path(__file__).resolve().parents[2] / "shared"))
    parser.add_argument("models", nargs="+", metavar="MODEL")
    parser.add_argument("--data", type=Path, default=shared / "data" / "coco_person")
    parser.add_argument("--output", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as name:
        for model in arguments.models:
            wide, narrow = (
                predicted(model, precision, arguments.data, Path(name) / f"{precision}.json")
                for precision in ("float32", "bfloat16")
            )
            rows.append(
                {
                    "model": Path(model).name,
                    "ap_float32": round(wide[0], 2),
                    "ap_bfloat16": round(narrow[0], 2),
                    "ap50_float32": round(wide[1], 2),
                    "ap50_bfloat16": round(narrow[1], 2),
                    "processor_s_float32": round(wide[2], 1),
                    "processor_s_bfloat16": round(narrow[2], 1),
                    "times_less": round(wide[2] / narrow[2], 2),
                }
            )
            show(rows[-1:])
    write(arguments.output, "python benchmarks/bfloat16.py", "processor", rows)


if __name__ == "__main__":
    main()

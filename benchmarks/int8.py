"""What eight bits lose: models exported to int8 for each runtime and scored beside their float32 file.

    python benchmarks/int8.py person runs/r50        the built-in model and a trained run, on coco_person

Each export is the command as typed: ranges from 64 training photographs, scores on all of the validation set.
The r50 of `benchmarks/results/export_int8.json` is a run of `person_r50.json`'s command: one epoch.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from timing import Row, show, write

RESULTS = Path(__file__).parent / "results" / "export_int8.json"


def lost(model: str, data: Path, runtime: str, folder: Path) -> Row:
    """Scores of one model's files in hundredths, and what the int8 file lost."""
    annotations = data / "annotations"
    command = [
        sys.executable, "-m", "amidst", "export", model, "-o", str(folder / "int8.onnx"), "--int8",
        "--runtime", runtime, "--images", str(data / "images"), "--json",
        "--calibrate", str(annotations / "person_train.json"),
        "--validate", str(annotations / "person_val.json"),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    said = json.loads(done.stdout)
    before, after = (100 * said[precision]["ap"] for precision in ("float32", "int8"))
    return {
        "model": Path(model).name,
        "family": said["family"],
        "runtime": runtime,
        "images": said["images"],
        "ap_float32": round(before, 2),
        "ap_int8": round(after, 2),
        "ap_lost": round(before - after, 2),
        "ap50_float32": round(100 * said["float32"]["ap50"], 2),
        "ap50_int8": round(100 * said["int8"]["ap50"], 2),
        "megabytes": round(said["bytes"] / 1e6, 1),
    }


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
            for runtime in ("openvino", "onnxruntime"):
                rows.append(lost(model, arguments.data, runtime, Path(name)))
                show(rows[-1:])
    write(arguments.output, "python benchmarks/int8.py", "wall", rows)


if __name__ == "__main__":
    main()

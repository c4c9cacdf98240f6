"""A submission of 1.2 GB of masks: seconds and peak memory of checking and of scoring.

    python benchmarks/leaderboard_large.py                    # 1.2 GB
    python benchmarks/leaderboard_large.py --megabytes 60     # a try

The file and its ground truth are generated: blobs in images of 640 x 480, 80 categories, 7 objects and 300
detections an image, scores with ties. Checking and scoring run in processes of their own, so their peaks are
theirs alone. `evaluate` scores the same file in one piece; the twelve numbers have to be equal to 1e-9. Goal:
at most 2 GB.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec
import numpy as np
import timing

from amidst.coco import masks
from amidst.evaluation import evaluate
from amidst.leaderboard.checking import PublicCategory, PublicImage, PublicList
from amidst.leaderboard.scoring import Outcome, Task

RESULTS = Path(__file__).parent / "results" / "leaderboard_large.json"
SIZE_HW = (480, 640)
TOLERANCE = 1e-9
POOL, CATEGORIES, OBJECTS, DETECTIONS = 400, 80, 7, 300

CHECK = """
import sys
from pathlib import Path
from amidst.leaderboard.checking import Checker, Rules, read_public
from amidst.leaderboard.config import BenchmarkConfig

checker = Checker("results.json", Rules.of(read_public(Path(sys.argv[1])), BenchmarkConfig(kind="segm")))
with open(sys.argv[2], "rb") as file:
    while data := file.read(4 * 2**20):
        checker.feed(data)
checker.end()
sys.stdout.write(str(checker.records))
"""


def blobs() -> list[tuple[str, list[float], int]]:
    """Run lengths, box and area of masks with ragged outlines."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[: SIZE_HW[0], : SIZE_HW[1]]
    made = []
    for _ in range(POOL):
        cx, cy, r = rng.uniform(80, 560), rng.uniform(80, 400), rng.uniform(10, 150)
        angle = np.arctan2(y - cy, x - cx)
        edge = r * (
            1 + sum(rng.uniform(0, 0.15) * np.cos(k * angle + rng.uniform(0, 6)) for k in (2, 3, 5, 9))
        )
        rle = masks.encode((np.hypot(x - cx, y - cy) < edge)[None])
        made.append((str(rle[0].counts), masks.boxes(rle)[0].tolist(), int(masks.area(rle)[0])))
    return made


def generate(folder: Path, size: int) -> tuple[Path, Path, Path]:
    """Truth, public list and results of about `size` bytes."""
    pool, rng = blobs(), np.random.default_rng(1)
    per_record = 110 + sum(len(text) for text, _, _ in pool) / len(pool)
    images = max(1, round(size / per_record / DETECTIONS))
    pictures = [
        {"id": i + 1, "width": SIZE_HW[1], "height": SIZE_HW[0], "file_name": f"{i}.jpg"}
        for i in range(images)
    ]
    categories = [{"id": k + 1, "name": f"c{k}"} for k in range(CATEGORIES)]
    truth, results, public = folder / "truth.json", folder / "results.json", folder / "public.json"
    annotations = []
    for index in range(images * OBJECTS):
        text, box, area = pool[int(rng.integers(POOL))]
        segmentation = {"size": SIZE_HW, "counts": text}
        annotations.append(
            {
                "id": index + 1,
                "image_id": index // OBJECTS + 1,
                "category_id": int(rng.integers(CATEGORIES)) + 1,
                "bbox": box,
                "area": area,
                "iscrowd": int(rng.random() < 0.01),
                "segmentation": segmentation,
            }
        )
    truth.write_text(json.dumps({"images": pictures, "annotations": annotations, "categories": categories}))
    listed = PublicList(
        tuple(PublicImage(**p) for p in pictures), tuple(PublicCategory(**c) for c in categories)
    )
    public.write_bytes(msgspec.json.encode(listed))
    with results.open("w") as file:
        for image in range(images):
            lines = []
            for index, which in enumerate(rng.integers(POOL, size=DETECTIONS).tolist()):
                own = annotations[image * OBJECTS + index] if index < OBJECTS and index % 3 else None
                text = own["segmentation"]["counts"] if own else pool[which][0]  # type: ignore[index]
                category = own["category_id"] if own else which % CATEGORIES + 1
                score = round(float(rng.random()), 3)
                lines.append(
                    f'{{"image_id": {image + 1}, "category_id": {category}, "score": {score}, '
                    f'"segmentation": {{"size": [480, 640], "counts": {json.dumps(text)}}}}}'
                )
            file.write(("[" if image == 0 else ",\n") + ",\n".join(lines))
        file.write("]")
    return truth, public, results


def timed(command: list[str], text: bytes = b"") -> tuple[bytes, float, int]:
    """Output, seconds and peak resident megabytes of a process."""
    program = (
        "import resource, subprocess, sys; made = subprocess.run(sys.argv[1:], check=True, stdin=sys.stdin); "
        "sys.stderr.write(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))"
    )
    begun = time.perf_counter()
    made = subprocess.Popen(
        [sys.executable, "-c", program, *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert made.stdin is not None
    assert made.stdout is not None
    assert made.stderr is not None
    made.stdin.write(text)
    made.stdin.flush()
    output, peak = made.stdout.read(), made.stderr.read()
    assert made.wait() == 0, peak.decode()
    return output, time.perf_counter() - begun, int(peak.split()[-1]) // 1024


def run_large(folder: Path, size: int) -> dict[str, object]:
    """The figures of a file of about `size` bytes."""
    truth, public, results = generate(folder, size)
    records, check_s, check_mb = timed([sys.executable, "-c", CHECK, str(public), str(results)])
    work = folder / "work"
    work.mkdir()
    task = Task(str(results), "results.json", str(truth), str(work), "segm")
    line, score_s, score_mb = timed(
        [sys.executable, "-m", "amidst.leaderboard.scoring"], msgspec.json.encode(task) + b"\n"
    )
    numbers = msgspec.json.decode(line, type=Outcome).numbers
    return {
        "megabytes": round(results.stat().st_size / 1e6),
        "records": int(records),
        "check_s": round(check_s, 1),
        "check_peak_mb": check_mb,
        "score_s": round(score_s, 1),
        "score_peak_mb": score_mb,
        "ap": numbers["ap"],
        "largest_difference_to_evaluate": difference(truth, results, numbers),
    }


def difference(truth: Path, results: Path, numbers: dict[str, float]) -> float:
    """The largest difference of the twelve numbers to those of `evaluate` in one piece."""
    whole = np.asarray(evaluate(truth, results, "segm").stats)
    return float(np.abs(np.array(list(numbers.values())) - whole).max())


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--megabytes", type=int, default=1200)
    parser.add_argument("--output", type=Path, default=RESULTS)
    chosen = parser.parse_args()
    rows = []
    for megabytes in (chosen.megabytes // 20, chosen.megabytes):
        with tempfile.TemporaryDirectory() as folder:
            rows.append(run_large(Path(folder), megabytes * 10**6))
            assert rows[-1]["largest_difference_to_evaluate"] <= TOLERANCE, rows  # type: ignore[operator]
    timing.write(chosen.output, "python benchmarks/leaderboard_large.py", "wall", rows)


if __name__ == "__main__":
    main()

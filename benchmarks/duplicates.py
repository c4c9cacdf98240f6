"""Near-duplicate search: what it finds, what it takes for one, and how fast it is.

    python benchmarks/duplicates.py PHOTOGRAPHS --out benchmarks/results/duplicates.json

PHOTOGRAPHS is a folder of distinct photographs (any depth; files of the same name count once), in order of
a hash of their names. The first 500 are for calibration: the GIST threshold is checked on them. The next
2,000 make the 10,000 images of the measurement: each photograph and four variants of it. The limits of the
hashes and the size of the windows had been chosen before, on all photographs with other variants; of the
second part nothing was changed after it was measured. A pair of different photographs counts as wrong,
also where a photographer pressed the button twice; such pairs are listed.

Variants: resized to 0.5 and to 0.75; JPEG of quality 30; brightness times 0.7; brightness times 1.3; a
crop that keeps 90 % of each side (81 % of the area) at a random place, and one that keeps 90 % of the
area, both saved as JPEG 90. Each photograph of the measurement gets four of these seven in turn, so
every kind has at least 1,000 pairs.

Steps are kept in --work and a stopped run goes on.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import os
import platform
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from PIL import Image, ImageEnhance

from amidst.coco.files import write_atomically
from amidst.curation.duplicates import DuplicateSettings, find_duplicates
from amidst.curation.fingerprints import Fingerprints, fingerprint, fingerprint_files
from amidst.curation.gist import gist
from amidst.curation.hamming import near_pairs
from amidst.curation.hashing import grey, phash, thumbnail, views

KINDS = (
    "resize 0.5",
    "resize 0.75",
    "jpeg 30",
    "brightness 0.7",
    "brightness 1.3",
    "crop 90 % sides",
    "crop 90 % area",
)
CALIBRATION, MEASURED, EACH = 500, 2000, 4


def photographs(folder: Path) -> list[Path]:
    by_name = {path.name: path for path in sorted(folder.rglob("*.jpg"))}
    return sorted(by_name.values(), key=lambda path: hashlib.sha256(path.name.encode()).digest())


def variant(picture: Image.Image, kind: str, rng: np.random.Generator) -> Image.Image:
    name, value = kind.split(maxsplit=1)
    if name == "resize":
        size = tuple(round(side * float(value)) for side in picture.size)
        return picture.resize((size[0], size[1]), Image.Resampling.LANCZOS)
    if name == "brightness":
        return ImageEnhance.Brightness(picture).enhance(float(value))
    if name == "crop":
        keep = 0.9 if value == "90 % sides" else 0.9**0.5
        width, height = (round(side * keep) for side in picture.size)
        left, top = (
            int(rng.integers(0, s - k + 1)) for s, k in zip(picture.size, (width, height), strict=True)
        )
        picture, value = picture.crop((left, top, left + width, top + height)), "90"
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=int(value))
    return Image.open(stream).convert("RGB")


def family(path: Path, kinds: list[str]) -> np.ndarray:
    """Records (1 + len(kinds),) of a photograph and its variants."""
    rng = np.random.default_rng(int.from_bytes(hashlib.sha256(path.name.encode()).digest()[:8], "big"))
    picture = Image.open(path).convert("RGB")
    pictures = [picture, *(variant(picture, kind, rng) for kind in kinds)]
    return np.concatenate(
        [fingerprint(f"{path.name} {i}".encode(), np.asarray(p)) for i, p in enumerate(pictures)]
    )


def families(paths: list[Path], kinds: list[list[str]], work: Path, name: str) -> np.ndarray:
    """Records (N, 1 + variants), made in portions of 100 that a later run finds again."""
    parts = []
    for start in range(0, len(paths), 100):
        file = work / f"{name}-{start}.npy"
        if not file.exists():
            portion = [
                family(p, k)
                for p, k in zip(paths[start : start + 100], kinds[start : start + 100], strict=True)
            ]
            write_atomically(file, _bytes(np.stack(portion)))
        parts.append(np.load(file))
        print(f"{name}: {start + len(parts[-1])}/{len(paths)}", flush=True)
    return np.concatenate(parts)


def _bytes(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def prints_of(records: np.ndarray) -> Fingerprints:
    flat = records.reshape(-1)
    return Fingerprints(
        tuple(map(str, range(len(flat)))),
        flat["bytes"],
        flat["pixels"],
        flat["size_hw"],
        flat["thumbnail"],
        np.arange(len(flat)),
    )


def score(records: np.ndarray, kinds: list[list[str]], settings: DuplicateSettings) -> dict[str, Any]:
    """Recall of each kind as pairs (photograph, variant), and precision over all pairs found."""
    found = find_duplicates(prints_of(records), settings)
    size = records.shape[1]
    pairs = {(pair.a, pair.b): pair.distance for pair in found.pairs}
    hits: defaultdict[str, int] = defaultdict(int)
    for row, names in enumerate(kinds):
        for column, kind in enumerate(names, 1):
            hits[kind] += (size * row, size * row + column) in pairs
    wrong = [(a, b, d) for (a, b), d in pairs.items() if a // size != b // size]
    totals = Counter(kind for names in kinds for kind in names)
    return {
        "images": records.size,
        "pairs found": len(pairs),
        "pairs of different photographs": len(wrong),
        "precision": 1 - len(wrong) / max(len(pairs), 1),
        "recall": {kind: hits[kind] / totals[kind] for kind in KINDS if totals[kind]},
        "variants of each kind": dict(sorted(totals.items())),
        "wrong": [{"families": [a // size, b // size], "distance": round(d, 3)} for a, b, d in wrong[:20]],
    }


def measure_hashing(paths: list[Path]) -> dict[str, Any]:
    """Images a second of one process: read, both digests, thumbnail, and hashes of all views."""
    chosen = paths[:200]
    folder = Path(os.path.commonpath([str(path) for path in chosen]))
    names = [path.relative_to(folder).as_posix() for path in chosen]
    begun, cpu = time.perf_counter(), time.process_time()
    prints = fingerprint_files(folder, names)
    luma = grey(prints.thumbnails(slice(None)))
    for view in views():
        phash(luma, view)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - begun
    pixels = float(np.mean(prints.sizes_hw.astype(float).prod(axis=1)))
    return {
        "images": len(prints),
        "mean megapixels": round(pixels / 1e6, 3),
        "images per CPU second": round(len(prints) / cpu, 1),
        "images per second as the machine was": round(len(prints) / wall, 1),
    }


def measure_comparison(paths: list[Path], work: Path, count: int) -> dict[str, Any]:
    """pHash tables of `count` thumbnails (tiles of photographs, 20 to 60 % of a side) compared as the
    search does.
    """
    file = work / f"tiles-{count}.npy"
    if not file.exists():
        write_atomically(file, _bytes(tiles(paths, count)))
    luma = grey(np.load(file))
    tables = [phash(luma, view) for view in views()]
    cpu, candidates = time.process_time(), []
    for table in tables:
        candidates.append(len(near_pairs(tables[0], table, DuplicateSettings().near_bits)))
        print(f"compared table {len(candidates)} of {len(tables)}", flush=True)
    cpu = time.process_time() - cpu
    return {
        "hashes": count,
        "tables": len(tables),
        "CPU seconds for all tables": round(cpu, 1),
        "pairs within the limit, whole pictures": candidates[0] - count,
    }


def tiles(paths: list[Path], count: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    each = -(-count // len(paths))
    found = []
    for path in paths:
        picture = np.asarray(Image.open(path).convert("RGB"))
        for _ in range(each):
            height, width = (max(int(side * rng.uniform(0.2, 0.6)), 1) for side in picture.shape[:2])
            top, left = (
                int(rng.integers(0, s - k + 1)) for s, k in zip(picture.shape, (height, width), strict=False)
            )
            found.append(thumbnail(np.ascontiguousarray(picture[top : top + height, left : left + width])))
    return np.stack(found[:count])


def calibrate(records: np.ndarray, kinds: list[list[str]]) -> tuple[float, dict[str, Any]]:
    """The smallest threshold that finds the worst kind as often as any does (within 0.005), of those that are
    right in 99.5 % of the pairs.
    """
    rows = {}
    for distance in (0.55, 0.65, 0.75, 0.85):
        result = score(records, kinds, DuplicateSettings(gist_distance=distance))
        least = min(result["recall"].values())
        rows[distance] = {"precision": result["precision"], "least recall": least, "wrong": result["wrong"]}
        print("calibration", distance, result["precision"], least, flush=True)
    right = {d: row["least recall"] for d, row in rows.items() if row["precision"] >= 0.995}
    best = max(right.values())
    chosen = min(d for d, recall in right.items() if recall >= best - 0.005)
    return chosen, {f"{distance:.2f}": row for distance, row in rows.items()}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("photographs", type=Path)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/duplicates.json"))
    parser.add_argument("--work", type=Path, default=Path("duplicates-work"))
    parser.add_argument("--hashes", type=int, default=200_000)
    parser.add_argument("--measured", type=int, default=MEASURED)
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    paths = photographs(args.photographs)
    first, second = paths[:CALIBRATION], paths[CALIBRATION : CALIBRATION + args.measured]
    turns = [[KINDS[(i + k) % len(KINDS)] for k in range(EACH)] for i in range(len(paths))]
    records = families(first, turns[: len(first)], args.work, "calibration")
    chosen, table = calibrate(records, turns[: len(first)])
    begun = time.process_time()
    measured_turns = turns[: len(second)]
    result = score(
        families(second, measured_turns, args.work, "measurement"), measured_turns, DuplicateSettings()
    )
    document = {
        "machine": platform.processor() or platform.machine(),
        "settings": msgspec.to_builtins(DuplicateSettings()),
        "calibration": {"photographs": len(first), "by gist_distance": table, "chosen": chosen},
        "measurement": result | {"CPU seconds": round(time.process_time() - begun, 1)},
        "hashing": measure_hashing(paths),
        "gist": measure_gist(records),
        "comparison": measure_comparison(paths, args.work, args.hashes),
    }
    write_atomically(args.out, msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n")
    print(f"written: {args.out}")


def measure_gist(records: np.ndarray) -> dict[str, Any]:
    thumbnails = records.reshape(-1)["thumbnail"][:512]
    cpu = time.process_time()
    gist(thumbnails)
    return {"descriptors per CPU second": round(len(thumbnails) / (time.process_time() - cpu), 1)}


if __name__ == "__main__":
    main()

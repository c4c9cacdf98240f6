"""Make the bundled sample `src/amidst/data/sample` from the shared COCO 2017 photographs.

    python tools/make_sample.py [OUTPUT]

The source is `$AMIDST_SHARED/data/coco_mini`, or `../shared/data/coco_mini` beside the checkout. The
sample's train split is taken from COCO's train2017 and its val split from val2017, so that no photograph
changes sides. The photographs were chosen by eye: people who can be made out, alone and in groups, near
and far, beside photographs without any; and only licences 4, 5, 7 and 8, which allow passing them on.

What changes: photographs are shrunk (Lanczos) to a longest side of at most 480 pixels, without metadata;
boxes and polygons are scaled by the exact factors of width and height; areas of polygons are scaled by
their product; crowd masks are resampled and their areas and boxes computed anew. Ids and all other fields
stay as they are. The result is the same byte for byte each time (with the same Pillow; the bundled one
was made with Pillow 13.0).
"""

# ruff: noqa: T201

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

Record = dict[str, Any]

LONGEST_SIDE = 480
JPEG_QUALITY = 90
REDISTRIBUTABLE = {4, 5, 7, 8}
ROOT = Path(__file__).resolve().parent.parent

CHOSEN = {
    "train": (
        # with people
        86, 165, 257, 294, 308, 360, 370, 389, 436, 459, 471, 529, 542, 544, 790, 60623, 129648, 174375,
        204805, 234748, 253955, 253956, 319492, 352257, 360452, 360461, 401416, 412151, 433998, 442450,
        491525, 522418, 565248,
        # without people; 508 shows no annotated object at all
        30, 71, 72, 73, 89, 92, 194, 508, 540, 599, 626, 629, 78499, 84284, 107438, 173350, 196393, 212679,
        213148, 358083, 425988, 458756, 525891,
    ),
    "val": (
        # with people
        165518, 166918, 168974, 183709, 184324, 214753, 252219, 261888, 303818, 343937, 349184, 349860,
        357888, 397133, 404484, 415748, 434204, 456496, 519208, 520707, 547336,
        # without people; 58636 shows no annotated object at all
        41888, 58636, 62554, 119828, 208901, 229997, 377575, 418281, 460229, 555705,
    ),
}  # fmt: skip

HEADER = """# Attribution

The bundled sample consists of {count} photographs of the COCO 2017 dataset with their annotations.

- **Annotations**: COCO Consortium, https://cocodataset.org, licensed under
  [CC BY 4.0](https://creativecommons.org/licenses/by/4.0/). Changed: scaled to the resized photographs.
- **Photographs**: by members of Flickr, each under the licence in its line. COCO does not record the authors'
  names; the page of a photograph names its author. Changed: longest side reduced to {side} pixels,
  metadata removed. Photographs under CC BY-SA stay under that licence in this form too.

| file | split | photograph (author on its page) | original file | licence |
|---|---|---|---|---|
"""


def scaled_mask(counts: list[int], size_hw: tuple[int, int], new_hw: tuple[int, int]) -> np.ndarray:
    """Uncompressed column-major run lengths -> bool (h, w) at the new size: covered to at least one half."""
    values = np.repeat(np.arange(len(counts)) % 2, counts).astype(np.uint8)
    mask = values.reshape(size_hw, order="F") * np.uint8(255)
    resized = Image.fromarray(mask).resize((new_hw[1], new_hw[0]), Image.Resampling.BOX)
    return np.asarray(resized) >= 128


def run_lengths(mask: np.ndarray) -> list[int]:
    """Bool (h, w) -> uncompressed column-major run lengths, the first of which counts zeros."""
    flat = mask.ravel(order="F")
    edges = np.flatnonzero(np.diff(flat.astype(np.int8))) + 1
    bounds = np.concatenate(([0], edges, [flat.size]))
    lengths = np.diff(bounds).tolist()
    return [0, *lengths] if flat[0] else lengths


def scale_annotation(annotation: Record, old_hw: tuple[int, int], new_hw: tuple[int, int]) -> Record:
    """The same object in the resized photograph; lengths in its pixels, rounded to 1/100."""
    sy, sx = new_hw[0] / old_hw[0], new_hw[1] / old_hw[1]
    segmentation = annotation["segmentation"]
    if isinstance(segmentation, dict):
        mask = scaled_mask(segmentation["counts"], tuple(segmentation["size"]), new_hw)
        ys, xs = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        bbox = [xs[0], ys[0], xs[-1] + 1 - xs[0], ys[-1] + 1 - ys[0]]
        changed = {
            "segmentation": {"size": list(new_hw), "counts": run_lengths(mask)},
            "area": int(mask.sum()),
            "bbox": [int(value) for value in bbox],
        }
        return annotation | changed
    x, y, w, h = annotation["bbox"]
    left, top = round(x * sx, 2), round(y * sy, 2)
    changed = {
        "segmentation": [
            [round(value * (sx, sy)[k % 2], 2) for k, value in enumerate(ring)] for ring in segmentation
        ],
        "area": round(annotation["area"] * sx * sy, 4),
        "bbox": [
            left,
            top,
            round(min(w * sx, new_hw[1] - left), 2),
            round(min(h * sy, new_hw[0] - top), 2),
        ],
    }
    return annotation | changed


def resize_photograph(path: Path) -> tuple[bytes, tuple[int, int], tuple[int, int]]:
    """JPEG bytes of the resized photograph, its old and its new (height, width)."""
    with Image.open(path) as image:
        if image.getexif().get(0x0112, 1) != 1:
            raise SystemExit(f"{path}: turned by its metadata; its annotations would have to be turned too")
        pixels = image if image.mode == "L" else image.convert("RGB")
        scale = min(1.0, LONGEST_SIDE / max(image.size))
        size = (round(image.width * scale), round(image.height * scale))
        buffer = io.BytesIO()
        pixels.resize(size, Image.Resampling.LANCZOS).save(
            buffer, "JPEG", quality=JPEG_QUALITY, optimize=True, subsampling="4:2:0"
        )
        return buffer.getvalue(), (image.height, image.width), (size[1], size[0])


def make_split(source: Path, output: Path, split: str) -> tuple[Record, list[Record]]:
    """Write the photographs of one split; return its COCO file and its image records."""
    name = f"{split}2017"
    data = json.loads((source / "annotations" / f"instances_{name}_mini.json").read_text())
    records = {record["id"]: record for record in data["images"]}
    images: list[Record] = []
    annotations: list[Record] = []
    for image_id in sorted(CHOSEN[split]):
        record = records[image_id]
        if record["license"] not in REDISTRIBUTABLE:
            raise SystemExit(f"image {image_id}: licence {record['license']} does not allow passing it on")
        jpeg, old_hw, new_hw = resize_photograph(source / "images" / name / record["file_name"])
        if old_hw != (record["height"], record["width"]):
            raise SystemExit(f"image {image_id}: record and file disagree about its size")
        (output / "images" / record["file_name"]).write_bytes(jpeg)
        images.append(record | {"height": new_hw[0], "width": new_hw[1]})
        own = sorted(
            (a for a in data["annotations"] if a["image_id"] == image_id), key=lambda a: int(a["id"])
        )
        annotations += [scale_annotation(annotation, old_hw, new_hw) for annotation in own]
    info = {
        "description": f"amidst sample, {split}: photographs and annotations of COCO 2017, resized",
        "url": "https://cocodataset.org",
        "version": "1.0",
        "year": 2017,
        "contributor": "COCO Consortium; photographs: see ATTRIBUTION.md",
        "date_created": "2017/09/01",
    }
    used = {"info": info, "licenses": data["licenses"], "images": images, "annotations": annotations}
    return used | {"categories": data["categories"]}, images


def attribution(splits: dict[str, list[Record]], licences: dict[int, Record]) -> str:
    """The Markdown file that credits every photograph."""
    lines = []
    for split, images in splits.items():
        for record in images:
            original = record["flickr_url"].replace("http://", "https://")
            photo_id = original.rsplit("/", 1)[-1].split("_")[0]
            licence = licences[record["license"]]
            url = licence["url"].replace("http://", "https://")
            page = f"https://www.flickr.com/photo.gne?id={photo_id}"
            lines.append(
                f"| {record['file_name']} | {split} | [Flickr {photo_id}]({page}) | <{original}> "
                f"| [{licence['name']}]({url}) |"
            )
    return HEADER.format(count=len(lines), side=LONGEST_SIDE) + "\n".join(lines) + "\n"


def main(arguments: list[str]) -> None:
    """Write the sample and say how large it is."""
    output = Path(arguments[0]) if arguments else ROOT / "src" / "amidst" / "data" / "sample"
    shared = Path(os.environ.get("AMIDST_SHARED", ROOT.parent / "shared"))
    for folder in ("images", "annotations"):
        (output / folder).mkdir(parents=True, exist_ok=True)
    splits: dict[str, list[Record]] = {}
    licences: dict[int, Record] = {}
    for split in CHOSEN:
        coco, splits[split] = make_split(shared / "data" / "coco_mini", output, split)
        licences |= {licence["id"]: licence for licence in coco["licenses"]}
        (output / "annotations" / f"{split}.json").write_text(json.dumps(coco, separators=(",", ":")) + "\n")
        print(f"{split}: {len(coco['images'])} photographs, {len(coco['annotations'])} annotations")
    (output / "ATTRIBUTION.md").write_text(attribution(splits, licences))
    total = sum(path.stat().st_size for path in output.rglob("*") if path.is_file())
    print(f"{output}: {total / 1e6:.2f} MB")


if __name__ == "__main__":
    main(sys.argv[1:])

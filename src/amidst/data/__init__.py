"""Files that ship with the package: the bundled sample, 87 photographs of COCO 2017 with their annotations.

`sample_dir()` is a folder of this shape; every photograph may be passed on under the licence that
`ATTRIBUTION.md` gives for it:

    images/000000000086.jpg ...       longest side at most 480 pixels
    annotations/train.json            COCO instances: 80 categories, polygons, crowd RLE
    annotations/val.json
    ATTRIBUTION.md                    one line per photograph: origin and licence

`tools/make_sample.py` made it.
"""

from __future__ import annotations

from pathlib import Path


def sample_dir() -> Path:
    """Folder of the bundled sample; its files are read-only material, never written to."""
    return Path(__file__).resolve().parent / "sample"

"""Windows of logits into an image, as run lengths (inference.mask_windows), against enlarging them whole.

    python benchmarks/paste.py                        640 x 480 and 24 megapixels
    python benchmarks/paste.py --proposals 4 --repeats 1 --sizes 60x80        does it run

The peer enlarges each window with torch, cuts it to the image and encodes its pixels. Logits are of 14, 56
and 160 cells a side (FPN masks, DeepMask, SharpMask), at the places and scales that those networks have.
Both masks are compared; those that differ, differ in pixels whose logit is the threshold but for rounding.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from timing import Row, add_arguments, interleaved, rows_of, show, write

from amidst.coco import masks
from amidst.coco.records import Rle
from amidst.inference.mask_windows import paste
from amidst.models.structures import MaskProposals

RESULTS = Path(__file__).parent / "results" / "paste.json"
THRESHOLD = 0.2
FEWEST = 10
SIDES = (14, 56, 160)


def proposals(number: int, side: int, height: int, width: int) -> MaskProposals:
    """Smooth random masks in windows of 113 to 905 pixels, where the image's longer side is 640."""
    base = F.interpolate(torch.randn(number, 1, 5, 5) * 4, size=(side, side), mode="bicubic")[:, 0]
    half = 80 * 2.0 ** (torch.randint(-1, 6, (number, 1)) / 2) * max(height, width) / 640
    centre = torch.rand(number, 2) * torch.tensor([width, height])
    return MaskProposals(torch.ones(number), base, torch.cat((centre - half, centre + half), dim=1))


def whole(found: MaskProposals, height: int, width: int) -> list[Rle]:
    """The same masks from all pixels of each window."""
    rles = []
    for logits, window in zip(found.logits, found.windows_xyxy.double().tolist(), strict=True):
        left, top = (math.floor(corner + 1e-3) for corner in window[:2])
        side_w = max(1, math.floor(window[2] - window[0] + 1e-3))
        side_h = max(1, math.floor(window[3] - window[1] + 1e-3))
        raised = F.interpolate(logits[None, None], size=(side_h, side_w), mode="bilinear")[0, 0]
        mask = np.zeros((1, height, width), dtype=bool)
        x1, y1, x2, y2 = max(0, left), max(0, top), min(width, left + side_w), min(height, top + side_h)
        inside = raised[y1 - top : y2 - top, x1 - left : x2 - left]
        mask[0, y1:y2, x1:x2] = (inside > math.log(THRESHOLD / (1 - THRESHOLD))).numpy()
        rles += masks.encode(mask)
    return rles


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    add_arguments(parser, RESULTS)
    parser.add_argument("--proposals", type=int, default=300, help="of 640 x 480; fewer of more")
    parser.add_argument("--sizes", nargs="+", default=["480x640", "4000x6000"], help="height x width")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    rows: list[Row] = []
    for size in options.sizes:
        height, width = map(int, size.split("x"))
        for side in SIDES:
            number = min(options.proposals, max(FEWEST, options.proposals * 640 * 480 // (height * width)))
            found = proposals(number, side, height, width)
            works = {
                "paste": lambda found=found, hw=(height, width): paste(found, hw, THRESHOLD),
                "whole windows": lambda found=found, hw=(height, width): whole(found, *hw),
            }
            times = interleaved(works, options.repeats, options.clock)
            ours, plain = works["paste"](), works["whole windows"]()
            differing = sum(
                int((masks.decode([a]) != masks.decode([b])).sum())
                for a, b in zip(ours, plain, strict=True)
                if a != b
            )
            about = {"size": size, "logits": side, "proposals": number, "differing": differing}
            here = rows_of(times, "whole windows", **about)
            show(here)
            rows += here
    write(options.output, "python benchmarks/paste.py", options.clock, rows)


if __name__ == "__main__":
    main()

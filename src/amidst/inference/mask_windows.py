"""From windows of mask logits to run-length masks of the image (C.6 rule 4).

    side       of a window: its own, rounded down to whole pixels
    place      its top and left corner, rounded down
    mask       logits enlarged bilinearly to the side, > ln(t / (1 - t)), cut to the image

Windows of one scale of an image have the same side: they are enlarged together, as many at once as fit in a
fixed piece of memory. The runs are read off the windows, without a mask of the whole image: where a column of
a window changes, at a place known in the image, a run begins or ends; runs that meet at the border of a
column are joined.

Shapes: N proposals, n windows of one side, m side of the logits, h x w window, H x W image, E edges of runs.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from amidst.coco.masks import compress
from amidst.coco.records import Rle
from amidst.models.structures import MaskProposals

PIXELS_AT_ONCE = 1 << 23
ROUNDING = 1e-3  # pixels: a corner this little below a whole pixel is on it

Ints = npt.NDArray[np.int64]


@torch.no_grad()
def paste(proposals: MaskProposals, size_hw: tuple[int, int], threshold: float) -> list[Rle]:
    """The masks of N proposals in an image of `size_hw`, whose pixels the windows are in; some may be empty.

    `threshold` is the probability above which a pixel is on the object.
    """
    windows = proposals.windows_xyxy.double()
    corners = (windows[:, :2] + ROUNDING).floor().long()  # (N, 2) left, top
    sides = (windows[:, 2:] - windows[:, :2] + ROUNDING).floor().long().clamp(min=1)  # (N, 2) w, h
    cut = math.log(threshold / (1 - threshold))
    found: dict[int, Rle] = {}
    groups, group_of = torch.unique(sides, dim=0, return_inverse=True)
    for group, (width, height) in enumerate(groups.tolist()):
        members = (group_of == group).nonzero()[:, 0]
        for chunk in members.split(max(1, PIXELS_AT_ONCE // (height * width))):
            logits = proposals.logits[chunk].float()[:, None]
            raised = F.interpolate(logits, size=(height, width), mode="bilinear")[:, 0]
            rles = _encode(raised > cut, corners[chunk], size_hw)
            found.update(zip(chunk.tolist(), rles, strict=True))
    return [found[index] for index in range(len(windows))]


def _encode(inside: Tensor, corners: Tensor, size_hw: tuple[int, int]) -> list[Rle]:
    """Masks (n, h, w) bool of windows with these corners (n, 2) left, top -> n RLEs of the image."""
    number, window_h, window_w = inside.shape
    height, width = size_hw
    device = inside.device
    rows = corners[:, 1, None] + torch.arange(window_h, device=device)  # (n, h) in the image
    columns = corners[:, 0, None] + torch.arange(window_w, device=device)  # (n, w)
    inside &= ((rows >= 0) & (rows < height))[:, :, None] & ((columns >= 0) & (columns < width))[:, None]
    padded = torch.zeros(number, window_w, window_h + 2, dtype=torch.bool, device=device)
    padded[:, :, 1:-1] = inside.transpose(1, 2)  # down each column, and nothing above and below it
    mask, column, row = (padded[:, :, 1:] != padded[:, :, :-1]).nonzero().unbind(dim=1)  # (E,) each
    place = (corners[mask, 0] + column) * height + corners[mask, 1] + row  # where runs begin and end, in turn
    return _runs(mask.cpu().numpy(), place.cpu().numpy(), number, size_hw)


def _runs(mask: Ints, place: Ints, number: int, size_hw: tuple[int, int]) -> list[Rle]:
    """Begins and ends (E,) of the runs of masks 0..number-1, in order -> their RLEs."""
    meets = (place[1:] == place[:-1]) & (mask[1:] == mask[:-1])  # the end of one run is the begin of the next
    kept = np.ones(len(place), dtype=bool)
    kept[1:] &= ~meets
    kept[:-1] &= ~meets
    mask, place = mask[kept], place[kept]
    ends = np.searchsorted(mask, np.arange(number), side="right")
    pixels = size_hw[0] * size_hw[1]
    return [_rle(edges, pixels, size_hw) for edges in np.split(place, ends[:-1])]


def _rle(edges: Ints, pixels: int, size_hw: tuple[int, int]) -> Rle:
    counts = np.diff(edges, prepend=0, append=pixels)
    if len(counts) > 1 and counts[-1] == 0:
        counts = counts[:-1]  # the last run reaches the last pixel
    return compress(Rle(size_hw, tuple(counts.tolist())))

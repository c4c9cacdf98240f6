"""All patches of an image: their number, places, order; an oracle's masks lie on their objects."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from amidst.coco import masks
from amidst.inference.mask_windows import paste
from amidst.models.config import CAFFE_PIXELS, BackboneConfig, DeepMaskConfig, PixelConfig
from amidst.models.deepmask_dense import DenseScale, best_patches, scaled_canvas, windows
from amidst.models.deepmask_geometry import geometry
from amidst.models.structures import MaskProposals

CONFIG = DeepMaskConfig(backbone=BackboneConfig(name="tiny"), trunk="W160-P4-D3", padding="zeros")
SIZES = geometry(CONFIG)


@pytest.mark.parametrize("scale", [0.25, 0.7, 1.0, 1.5])
@pytest.mark.parametrize("size_hw", [(1, 1), (33, 40), (128, 200)])
def test_a_scale_is_amid_grey_and_fits_the_stride(scale: float, size_hw: tuple[int, int]) -> None:
    image = torch.full((3, *size_hw), 7.0)
    canvas, (scale_y, scale_x) = scaled_canvas(image, scale, SIZES, CAFFE_PIXELS)
    height, width = (max(1, round(side * scale)) for side in size_hw)
    assert (scale_y, scale_x) == (height / size_hw[0], width / size_hw[1])
    assert torch.allclose(canvas[0, :, 80 : 80 + height, 80 : 80 + width], torch.tensor(7.0))
    cells = [side // 16 for side in canvas.shape[2:]]
    assert [side % 16 for side in canvas.shape[2:]] == [0, 0]
    # One patch at each border of the scaled image and one every 16 pixels between, the last one beyond it.
    assert [n - SIZES.cells + 1 for n in cells] == [-(-height // 16) + 1, -(-width // 16) + 1]
    grey = [127.5 - mean for mean in CAFFE_PIXELS.mean]
    assert canvas[0, :, 0, 0].tolist() == pytest.approx(grey)
    assert canvas[0, :, -1, -1].tolist() == pytest.approx(grey)


def test_grey_is_half_of_the_range_before_normalising() -> None:
    pixels = PixelConfig(scale=1 / 255, mean=(0.5, 0.25, 0.0), std=(1.0, 0.5, 2.0))
    canvas, _ = scaled_canvas(torch.zeros(3, 4, 4), 1.0, SIZES, pixels)
    assert canvas[0, :, 0, 0].tolist() == pytest.approx([0.0, 0.5, 0.25])


def dense_scale(scores: list[list[float]], scale: float) -> DenseScale:
    logits = torch.tensor(scores)
    return DenseScale((scale, scale), logits, torch.zeros(512, *logits.shape))


def test_the_best_patches_of_all_scales() -> None:
    scales = [dense_scale([[0.0, 5.0]], 0.5), dense_scale([[3.0, 1.0, 9.0], [8.0, -1.0, 2.0]], 1.0)]
    patches = best_patches(scales, 5)
    assert patches.scores.tolist() == [9, 8, 5, 3, 2]
    assert patches.scale.tolist() == [1, 1, 0, 1, 1]
    assert patches.row.tolist() == [0, 1, 0, 0, 1]
    assert patches.column.tolist() == [2, 0, 1, 0, 2]
    assert len(best_patches(scales, 100).scores) == 8
    # Centres (x, y) = 16 (column, row) / scale, 160 / scale wide.
    assert windows(patches, scales, SIZES)[:3].tolist() == [
        [32 - 80, -80, 32 + 80, 80],
        [-80, 16 - 80, 80, 16 + 80],
        [32 - 160, -160, 32 + 160, 160],
    ]


@pytest.mark.parametrize("scale", [2**-2.5, 2**-1.0, 2**0.5])
@pytest.mark.parametrize("mask_side", [56, 160])
@pytest.mark.parametrize("cell", [(2, 3), (4, 2), (0, 0)])
def test_an_oracle_recovers_squares_of_the_right_size(
    scale: float, mask_side: int, cell: tuple[int, int]
) -> None:
    """A square of canonical size centred at a patch, cut at the border of the image (M.4)."""
    image_hw = (round(100 / scale), round(120 / scale))
    canvas, scale_yx = scaled_canvas(torch.zeros(3, *image_hw), scale, SIZES, CAFFE_PIXELS)
    rows, columns = (side // 16 - SIZES.cells + 1 for side in canvas.shape[2:])
    scores = torch.zeros(rows, columns)
    scores[cell] = 5.0
    dense = [DenseScale(scale_yx, scores, torch.zeros(512, rows, columns))]
    patches = best_patches(dense, 1)
    along = ((torch.arange(mask_side) + 0.5) * 160 / mask_side - 80).abs() < SIZES.object_side / 2
    logits = torch.where(along[:, None] & along, 6.0, -6.0)[None]
    proposal = MaskProposals(patches.scores, logits, windows(patches, dense, SIZES))
    found = paste(proposal, image_hw, 0.2)
    y, x = (16 * place / by for place, by in zip(cell, scale_yx, strict=True))
    half = SIZES.object_side / 2 / scale
    truth = masks.from_box([x - half, y - half, 2 * half, 2 * half], image_hw)
    assert float(masks.iou(found, [truth])[0, 0]) > 0.9
    assert np.isfinite(masks.area(found)).all()

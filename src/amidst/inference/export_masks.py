"""Networks that propose masks, restated so that they can be exported: FPN masks, DeepMask, SharpMask.

As in `export_boxes` every step has a fixed number of places. DeepMask and SharpMask look at whole images: the
images of a batch are of one size and without padding.

Shapes: B images, N proposals of an image, m side of a mask, E hidden channels, H x W cells, S cells along a
patch, R x C patches of a scale, T cells or patches of all scales.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from amidst.inference.export_boxes import EMPTY, rows, top
from amidst.models.config import SharpMaskConfig
from amidst.models.deepmask import DeepMask
from amidst.models.deepmask_dense import GREY
from amidst.models.enlarged import both_ways
from amidst.models.fpn_masks import FPNMasks
from amidst.models.fpn_masks_geometry import PADDING, slots_of
from amidst.models.fpn_masks_head import WindowNetwork
from amidst.models.sharpmask import SharpMask

Proposed = tuple[
    Tensor, Tensor, Tensor, Tensor
]  # scores (B, N), logits (B, N, m, m), windows (B, N, 4), count


class ExportedFPNMasks(nn.Module):
    """images (B, 3, H, W), sizes_hw (B, 2) -> `Proposed`."""

    def __init__(self, model: FPNMasks) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor, sizes_hw: Tensor) -> Proposed:
        """Proposals of each image."""
        model, config = self.model, self.model.config
        pyramid = model.pyramid(images)
        networks = [network for network in model.networks if isinstance(network, WindowNetwork)]
        parts = []
        for slot in slots_of(config.windows, model.fpn.strides, [(1, 1)] * len(pyramid)):
            hidden, logits = networks[slot.window].dense(pyramid[slot.level])
            width = torch.full((1,), logits.shape[2], dtype=torch.int64)
            score, cell = top(inside(logits, sizes_hw, slot.stride), config.decode.num_proposals)
            centre = torch.stack((cell % width, cell // width), dim=-1) * slot.stride + slot.stride / 2
            half = PADDING / 2 * slot.scale
            squares = torch.cat((centre - half, centre + half), dim=-1)
            window = torch.full_like(cell, slot.window)
            parts.append((score, squares, rows(hidden.flatten(1, 2), cell), window))
        scores, squares, hidden, window = (torch.cat(part, dim=1) for part in zip(*parts, strict=True))
        scores, place = top(scores, config.decode.num_proposals)
        chosen, window = rows(hidden, place), window.gather(1, place)
        side = config.mask_side
        masks = networks[0].masks(chosen.flatten(0, 1)).view(*window.shape, side, side)
        for index, network in enumerate(networks[1:], start=1):
            others = network.masks(chosen.flatten(0, 1)).view_as(masks)
            masks = torch.where((window == index)[:, :, None, None], others, masks)
        return scores.sigmoid(), masks, rows(squares, place), (scores > EMPTY).sum(dim=1)


def inside(logits: Tensor, sizes_hw: Tensor, stride: int) -> Tensor:
    """Logits (B, H, W) -> (B, H * W), `EMPTY` for cells of the padding."""
    limits = (sizes_hw + stride - 1) // stride  # (B, 2)
    row = torch.arange(logits.shape[1], device=logits.device)
    column = torch.arange(logits.shape[2], device=logits.device)
    within = (row < limits[:, :1])[:, :, None] & (column < limits[:, 1:])[:, None]
    return torch.where(within, logits, EMPTY).flatten(1)


class ExportedDeepMask(nn.Module):
    """images (B, 3, H, W) -> `Proposed`; also of a SharpMask."""

    def __init__(self, model: DeepMask) -> None:
        super().__init__()
        self.model = model
        if isinstance(model.config, SharpMaskConfig):
            both_ways(model.config.refine.upsample)  # what it keeps must be numbers, not symbols
        pixels = model.config.pixels
        grey = [(GREY * pixels.scale - mean) / std for mean, std in zip(pixels.mean, pixels.std, strict=True)]
        self.register_buffer("grey", torch.tensor(grey)[:, None, None])  # (3, 1, 1)

    def forward(self, images: Tensor) -> Proposed:
        """Proposals of each image."""
        model, sizes = self.model, self.model.sizes
        scores, codes, places, skips, widths = [], [], [], [], []
        for scale in model.scales:
            canvas, by_yx = self._canvas(images, scale)
            maps = model.backbone.maps(canvas)
            reduced, code = model.codes(maps[-1])
            score = model.score(maps[-1], reduced, code)  # (B, R, C)
            scores.append(score.flatten(1))
            codes.append(code.flatten(2).transpose(1, 2))  # (B, R * C, 512)
            places.append(_places(score, by_yx))
            if isinstance(model, SharpMask) and model.sharp:
                level_maps = model.refine.skips(maps[::-1])
                skips.append([x.flatten(2).transpose(1, 2) for x in level_maps])  # (B, h * w, k)
                widths.append([x.shape[3] for x in level_maps])
        values, chosen = top(torch.cat(scores, dim=1), model.config.decode.num_proposals)
        place = torch.cat(places, dim=0)[chosen]  # (B, N, 4): row, column, scale y, scale x
        centre, scale_yx = place[..., :2] * sizes.stride, place[..., 2:]
        corners = ((centre - sizes.patch / 2) / scale_yx, (centre + sizes.patch / 2) / scale_yx)
        windows = torch.cat([corner.flip(2) for corner in corners], dim=2).float()
        code = rows(torch.cat(codes, dim=1), chosen)
        logits = self._masks(code, place, chosen, skips, widths, [x.shape[1] for x in scores])
        return values.sigmoid(), logits, windows, (values > EMPTY).sum(dim=1)

    def _canvas(self, images: Tensor, scale: float) -> tuple[Tensor, Tensor]:
        """The images at one scale amid grey (B, 3, h', w'), and the true scale (2,) float64, y and x."""
        sizes = self.model.sizes
        height, width = images.shape[2:]
        size_hw = (scaled(height, scale), scaled(width, scale))
        small = images
        if scale != 1:
            small = F.interpolate(images, size=size_hw, mode="bilinear", antialias=True)
        border, stride = sizes.patch // 2, sizes.stride
        around = [(side + sizes.patch + stride - 1) // stride * stride for side in size_hw]
        rest = [whole - side - border for whole, side in zip(around, size_hw, strict=True)]
        margins = (border, rest[1], border, rest[0])
        on = F.pad(torch.ones_like(small[:1, :1]), margins)
        canvas = torch.where(on > 0, F.pad(small, margins), self.get_buffer("grey"))
        true = [
            torch.full((1,), 1.0, dtype=torch.float64) * now / before
            for now, before in zip(size_hw, (height, width), strict=True)
        ]
        return canvas, torch.cat(true)

    def _masks(
        self,
        code: Tensor,
        place: Tensor,
        chosen: Tensor,
        skips: Sequence[Sequence[Tensor]],
        widths: Sequence[Sequence[int]],
        patches: Sequence[int],
    ) -> Tensor:
        """Codes (B, N, 512) of patches at `place` (B, N, 4) -> mask logits (B, N, m, m)."""
        model = self.model
        images, number = chosen.shape
        flat = code.flatten(0, 1)
        coarse = model.coarse_logits(flat)
        if not isinstance(model, SharpMask) or not skips:
            return coarse.view(images, number, *coarse.shape[1:])
        end, of_scale = 0, torch.zeros_like(chosen)
        for count in patches[:-1]:
            end = end + count
            of_scale = of_scale + (chosen >= end)
        row, column = place[..., 0].long(), place[..., 1].long()
        cut = []
        for level in range(len(skips[0])):
            tables = [of_a_scale[level] for of_a_scale in skips]
            wide = [of_a_scale[level] for of_a_scale in widths]
            side, step = model.sizes.cells << level, 1 << level
            cut.append(_windows(tables, wide, of_scale, row * step, column * step, side))
        logits: Tensor = model.refine(flat, coarse, cut)
        return logits.view(images, number, *logits.shape[1:])


def _places(score: Tensor, by_yx: Tensor) -> Tensor:
    """Patches (B, R, C) of a scale -> (R * C, 4) float64: row, column, scale y, scale x."""
    row = torch.arange(score.shape[1], dtype=torch.float64)[:, None].expand(score.shape[1:])
    column = torch.arange(score.shape[2], dtype=torch.float64).expand(score.shape[1:])
    grid = torch.stack((row, column), dim=-1).flatten(0, 1)
    return torch.cat((grid, by_yx.expand(grid.shape[0], 2)), dim=1)


def _windows(
    tables: Sequence[Tensor], widths: Sequence[int], of_scale: Tensor, top: Tensor, left: Tensor, side: int
) -> Tensor:
    """Maps (B, h * w, k) of each scale, `widths` cells wide -> windows (B * N, k, side, side).

    Window n begins at row `top`, column `left` of the map of scale `of_scale`, (B, N) each.
    """
    begin, width = torch.zeros_like(of_scale), torch.zeros_like(of_scale)
    first = 0
    for index, (table, columns) in enumerate(zip(tables, widths, strict=True)):
        here = of_scale == index
        begin = torch.where(here, first, begin)
        width = torch.where(here, columns, width)
        first = first + table.shape[1]
    table = torch.cat(list(tables), dim=1)  # (B, T, k)
    offsets = torch.arange(side, device=table.device)
    start = begin + top * width + left  # (B, N)
    place = start[:, :, None, None] + offsets[:, None] * width[:, :, None, None] + offsets
    image = torch.arange(table.shape[0], device=table.device)[:, None, None, None] * table.shape[1]
    found = table.flatten(0, 1).index_select(0, (place + image).flatten())  # (B * N * side * side, k)
    return found.view(-1, side, side, table.shape[2]).permute(0, 3, 1, 2)


def scaled(side: int, scale: float) -> int:
    """max(1, round(side * scale)) in arithmetic that an exported graph has.

    Halves are met only where the scale is a power of two; they go to the even number, as in Python.
    """
    exponent = math.log2(scale)
    if exponent == round(exponent):
        if exponent >= 0:
            return int(2**exponent) * side
        cut = int(2**-exponent)
        rounded = (side + cut // 2 - 1 + side // cut % 2) // cut
    else:
        rounded = torch.sym_int(side * scale + 0.5)  # type: ignore[no-untyped-call]
    found: int = torch.sym_max(rounded, 1)  # type: ignore[no-untyped-call] # a symbol while exporting
    return found

"""Speed and memory of DeepMask, SharpMask and FPN masks on whole images (thesis 3.5.1, 3.5.2, 4.6).

    sharpmask   DeepMask, FPN masks and SharpMask with as many (refined) windows, on the same image; thesis
                .46 and .76 s in chapter 3, .49, .24 and .77 s in Table 4.6
    skips       the refinement of the windows with skips computed once, against once for every window
    heads       the score branches on the maps of one image; thesis .06 s for head A, .01 s for head C
    paste       masks of proposals into an image, as run lengths
    memory      peak memory of a process that makes 1,000 proposals of an image of 800 x 800 pixels

Works take turns in one process; the figures to look at are the ratios.

    python benchmarks/masks.py                                            ResNet-50, 640 x 480
    python benchmarks/masks.py --recipe lite --size 128x160 --windows 20 --repeats 1       does it run

Random weights: speed does not depend on them, but for the masks of `paste`, which are discs.
"""

from __future__ import annotations

import argparse
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import msgspec
import torch
from timing import Row, add_arguments, interleaved, rows_of, show, write

from amidst.inference.mask_windows import paste
from amidst.models.config import DeepMaskConfig, DeepMaskDecodeConfig, FPNMasksConfig, SharpMaskConfig
from amidst.models.config_fpn_masks import FPNMasksDecodeConfig
from amidst.models.deepmask import WINDOWS_AT_ONCE, DeepMask
from amidst.models.deepmask_dense import DenseScale, Patches, best_patches, scaled_canvas, windows
from amidst.models.deepmask_heads import CODE, ScoreHead
from amidst.models.fpn_masks import FPNMasks
from amidst.models.norms import prepare_for_inference
from amidst.models.sharpmask import SharpMask
from amidst.models.structures import MaskProposals
from amidst.ops.images import ImageBatch
from amidst.recipes import recipe

RESULTS = Path(__file__).parent / "results" / "masks.json"
PRECISIONS = {"float32": None, "bfloat16": torch.bfloat16}
MEMORY_SIDE, MEMORY_PROPOSALS = 800, 1000
CONTEXT = 1  # cells of C4 around a window, where skips are computed for every window


def networks(name: str, number: int, dtype: torch.dtype | None = None) -> tuple[DeepMask, SharpMask]:
    """Both networks of the recipes "r50" or "lite", prepared, for this number of proposals."""
    torch.manual_seed(0)
    decode = DeepMaskDecodeConfig(num_proposals=number)
    deep = recipe(f"deepmask_{name}").make().model
    sharp = recipe(f"sharpmask_{name}").make().model
    assert isinstance(deep, DeepMaskConfig)
    assert isinstance(sharp, SharpMaskConfig)
    return (
        prepare_for_inference(DeepMask(msgspec.structs.replace(deep, decode=decode)), dtype),
        prepare_for_inference(SharpMask(msgspec.structs.replace(sharp, decode=decode)), dtype),
    )


def whole_rows(
    name: str, image: torch.Tensor, number: int, repeats: int, clock: str, precision: str
) -> list[Row]:
    """Whole networks, from an image to mask logits."""
    dtype = PRECISIONS[precision]
    deep, sharp = networks(name, number, dtype)
    images = ImageBatch(image[None], ((image.shape[1], image.shape[2]),))
    pyramid = pyramid_masks(name, number, dtype)
    right, below = (-side % 64 for side in (image.shape[2], image.shape[1]))
    padded = torch.nn.functional.pad(image[None], (0, right, 0, below))
    padded_images = ImageBatch(padded.contiguous(memory_format=torch.channels_last), images.sizes_hw)
    works = {
        "deepmask": lambda: deep(images),
        "fpn masks": lambda: pyramid(padded_images),
        "sharpmask": lambda: sharp(images),
    }
    times = interleaved(works, repeats, clock)
    return rows_of(times, "sharpmask", work="sharpmask", precision=precision, windows=number)


def pyramid_masks(name: str, number: int, dtype: torch.dtype | None) -> FPNMasks:
    """The network of the recipes "r50" or "lite", prepared, for this number of proposals."""
    config = recipe(f"fpn_masks_{name}").make().model
    assert isinstance(config, FPNMasksConfig)
    decode = FPNMasksDecodeConfig(num_proposals=number)
    torch.manual_seed(0)
    return prepare_for_inference(FPNMasks(msgspec.structs.replace(config, decode=decode)), dtype)


def skip_rows(name: str, image: torch.Tensor, number: int, repeats: int, clock: str) -> list[Row]:
    """What SharpMask does beyond DeepMask: skips and refinement of the best windows of all scales."""
    _, network = networks(name, number)
    from_scales = [network._dense_scale(image, scale) for scale in network.scales]  # to choose the windows
    patches = best_patches(from_scales, number)
    maps = [trunk_maps(network, image, scale) for scale in network.scales]

    def shared() -> None:
        scales = [
            DenseScale(dense.scale_yx, dense.scores, dense.codes, network.skips(levels))
            for dense, levels in zip(from_scales, maps, strict=True)
        ]
        network.masks(scales, patches)

    times = interleaved(
        {"shared": shared, "recomputed": lambda: recomputed(network, from_scales, maps, patches)},
        repeats,
        clock,
    )
    return rows_of(times, "recomputed", work="skips", windows=number)


def trunk_maps(network: DeepMask, image: torch.Tensor, scale: float) -> tuple[torch.Tensor, ...]:
    """C1..C4 of one scale, with the context of the outermost windows."""
    canvas, _ = scaled_canvas(image, scale, network.sizes, network.config.pixels)
    return network.backbone.maps(canvas)


def recomputed(
    network: SharpMask,
    scales: list[DenseScale],
    maps: list[tuple[torch.Tensor, ...]],
    patches: Patches,
) -> None:
    """Masks of the patches, the horizontal paths run over every window and its context."""
    cells = network.sizes.cells
    for index, (scale, levels) in enumerate(zip(scales, maps, strict=True)):
        padded = [
            torch.nn.functional.pad(x[0], (CONTEXT << level,) * 4) for level, x in enumerate(levels[::-1])
        ]
        here = (patches.scale == index).nonzero()[:, 0]
        for chunk in torch.split(here, WINDOWS_AT_ONCE):
            row, column = patches.row[chunk], patches.column[chunk]
            skips = []
            for level, feature in enumerate(padded):
                side, step = (cells + 2 * CONTEXT) << level, 1 << level
                views = feature.unfold(1, side, step).unfold(2, side, step)[:, row, column].transpose(0, 1)
                views = views.contiguous(memory_format=torch.channels_last)
                skip = network.refine.horizontal[level](views)
                margin = CONTEXT << level
                skips.append(skip[:, :, margin:-margin, margin:-margin])
            network.refine(scale.codes[:, row, column].t(), torch.zeros(0), skips)


def head_rows(name: str, image: torch.Tensor, repeats: int, clock: str) -> list[Row]:
    """Score branches on the maps of all scales of one image."""
    deep, _ = networks(name, 1)
    inputs = []
    for scale in deep.scales:
        trunk = trunk_maps(deep, image, scale)[-1]
        inputs.append((trunk, *deep.codes(trunk)))
    works = {}
    for kind in ("original", "A", "B", "C"):
        config = msgspec.structs.replace(deep.config, head=kind)
        head = prepare_for_inference(ScoreHead(config, deep.sizes, inputs[0][0].shape[1]))
        works[f"head {kind}"] = lambda head=head: [head(*each) for each in inputs]
    assert inputs[0][2].shape[1] == CODE
    return rows_of(interleaved(works, repeats, clock), "head A", work="heads")


def paste_rows(image: torch.Tensor, number: int, repeats: int, clock: str) -> list[Row]:
    """Discs in the windows of all scales, into the image."""
    deep, _ = networks("lite", number)
    scales = deep.dense(image)
    patches = best_patches(scales, number)
    place = windows(patches, scales, deep.sizes)
    works = {}
    for side in (56, 160):
        along = torch.arange(side) - side / 2
        disc = 6.0 - (along[:, None] ** 2 + along**2) * 24 / side**2 * 4
        proposals = MaskProposals(patches.scores, disc.expand(number, side, side), place)
        size_hw = (int(image.shape[1]), int(image.shape[2]))
        works[f"logits of {side} x {side}"] = lambda p=proposals, hw=size_hw: paste(p, hw, 0.2)
    return rows_of(interleaved(works, repeats, clock), "logits of 56 x 56", work="paste", windows=number)


def peak_mb(name: str, sharp: bool, side: int, number: int) -> float:
    """Peak memory of this process after proposing masks for an image, in MB."""
    torch.set_grad_enabled(False)
    network = networks(name, number)[sharp]
    image = torch.randn(1, 3, side, side).contiguous(memory_format=torch.channels_last)
    network(ImageBatch(image, ((side, side),)))
    # Not ru_maxrss, which a process inherits from the one that starts it.
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def memory_rows(name: str, side: int, number: int) -> list[Row]:
    """Each network in a process of its own."""
    rows: list[Row] = []
    for sharp in (False, True):
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            peak = pool.submit(peak_mb, name, sharp, side, number).result()
        network = "sharpmask" if sharp else "deepmask"
        rows.append(
            {"work": "memory", "name": network, "side": side, "windows": number, "peak_mb": round(peak)}
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    add_arguments(parser, RESULTS)
    parser.add_argument("--recipe", choices=("r50", "lite"), default="r50")
    parser.add_argument("--size", default="480x640", help="height x width")
    parser.add_argument("--windows", type=int, default=500)
    parser.add_argument("--memory", action=argparse.BooleanOptionalAction, default=True)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.set_grad_enabled(False)
    height, width = (int(side) for side in arguments.size.split("x"))
    torch.manual_seed(0)
    image = torch.randn(1, 3, height, width).contiguous(memory_format=torch.channels_last)[0]
    rows: list[Row] = []
    name, number, repeats, clock = arguments.recipe, arguments.windows, arguments.repeats, arguments.clock
    parts = [
        *(partial(whole_rows, name, image, number, repeats, clock, p) for p in PRECISIONS),
        lambda: skip_rows(name, image, number, repeats, clock),
        lambda: head_rows(name, image, repeats, clock),
        lambda: paste_rows(image, number, repeats, clock),
    ]
    if arguments.memory:
        parts.append(lambda: memory_rows(name, MEMORY_SIDE, MEMORY_PROPOSALS))
    for part in parts:
        found = part()
        show(found)
        rows += found
    write(arguments.output, "python benchmarks/masks.py", clock, [{"recipe": name, **row} for row in rows])


if __name__ == "__main__":
    main()

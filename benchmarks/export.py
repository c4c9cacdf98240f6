"""Speed of exported models: RetinaNet R50, batch 1, against the same network eager in torch, side by side.

The peer is torchvision's own model where torchvision is installed, else the network as it is usually written
(`network.plain`: norms of their own, NCHW). All contestants take turns in one process; the figure to look at
is the median of the ratios. Decoding is inside the exported files; torchvision's keeps no score and so has
nothing to suppress, and it normalises the image, which takes a few milliseconds; `post-processing` times our
decoding in torch, on outputs like those of a trained network.

    python benchmarks/export.py                                        800x1344 and 416x672
    python benchmarks/export.py --sizes 128x128 --repeats 1            does it run
    python benchmarks/export.py --model runs/mine/model.safetensors    weights of a run, not random ones

Random weights: speed does not depend on them; int8 ranges come from random images.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from network import made_up_outputs, parse_size, plain
from timing import Row, add_arguments, interleaved, rows_of, show, write
from torch import nn

from amidst.inference.export import export_model
from amidst.inference.export_int8 import quantise
from amidst.inference.exported import describe, read_exported, write_graph
from amidst.inference.runtime import engine_for
from amidst.models.config import RetinaNetConfig
from amidst.models.norms import prepare_for_inference
from amidst.models.retinanet import RetinaNet
from amidst.models.retinanet_decode import decode_detections
from amidst.models.weights import ModelInfo, load_model, text_of_info

RESULTS = Path(__file__).parent / "results" / "export.json"
PLAIN = "eager, norms apart, NCHW"
TORCHVISION = "torchvision, eager"
PEER = TORCHVISION if find_spec("torchvision") else PLAIN
Size = tuple[int, int]
Work = Callable[[], object]


def network(model: Path | None) -> tuple[RetinaNet, ModelInfo]:
    """RetinaNet R50 of 80 classes with random weights, or the RetinaNet of a file."""
    if model is not None:
        loaded, info = load_model(model)
        assert isinstance(loaded, RetinaNet)
        return loaded, info
    torch.manual_seed(0)
    categories = tuple({"id": n, "name": f"class {n}", "supercategory": ""} for n in range(1, 81))
    return RetinaNet(RetinaNetConfig()).eval(), ModelInfo(RetinaNetConfig(), categories)


def export_all(model: RetinaNet, info: ModelInfo, folder: Path) -> dict[str, Path]:
    """The float32 and the int8 files; kept in `folder` where they are there already."""
    files = {name: folder / f"{name}.onnx" for name in ("fp32", "int8", "int8 for openvino")}
    if not files["fp32"].is_file():
        export_model(model, info, files["fp32"])
    for name, whole_outputs in (("int8", False), ("int8 for openvino", True)):
        if not files[name].is_file():
            random = np.random.default_rng(0)
            images = random.standard_normal((1, 3, 256, 256), dtype=np.float32)
            batch: dict[str, Any] = {"images": images, "sizes_hw": np.array([[256, 256]])}
            graph = quantise(onnx.load(files["fp32"]), iter([batch]), whole_outputs)
            describe(graph, text_of_info(info))
            write_graph(graph, files[name])
    return files


def contestants(size: Size, model: RetinaNet, files: dict[str, Path], runtimes: list[str]) -> dict[str, Work]:
    """Each work is one image through one network."""
    pixels = torch.randn(1, 3, *size)
    channels_last = pixels.contiguous(memory_format=torch.channels_last)
    works: dict[str, Work] = {}
    eager = plain(model)
    works[PLAIN] = lambda: eager.predict(pixels)
    if PEER == TORCHVISION:
        peer = torchvision_model(size)
        works[PEER] = lambda: peer([pixels[0]])
    ours = prepare_for_inference(model)
    works["amidst in torch"] = lambda: ours.predict(channels_last)
    if torch.cpu.get_capabilities().get("amx_bf16", False):
        narrow = prepare_for_inference(model, torch.bfloat16)
        works["amidst in torch, bfloat16"] = lambda: narrow.predict(channels_last)
    inputs = {"images": pixels.numpy(), "sizes_hw": np.array([size])}
    for runtime in runtimes:
        for name, file in files.items():
            engine = engine_for(read_exported(file), runtime)
            works[f"{runtime}, {name}"] = lambda engine=engine: engine(inputs)
    return works


def torchvision_model(size: Size) -> nn.Module:
    """Its RetinaNet R50 of 91 classes, but for the weights as published; this size is not resized."""
    from interop import freeze
    from torchvision.models.detection import retinanet_resnet50_fpn

    model: nn.Module = retinanet_resnet50_fpn(
        weights=None, weights_backbone=None, min_size=min(size), max_size=max(size)
    )
    freeze(model)
    return model.eval()


def decoding(size: Size, model: RetinaNet) -> Work:
    """From outputs to detections in torch."""
    outputs = made_up_outputs(model, size)
    return lambda: decode_detections(outputs, [size], model.config.decode)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", nargs="+", type=parse_size, default=[(416, 672), (800, 1344)])
    parser.add_argument("--model", type=Path)
    parser.add_argument("--files", type=Path, help="folder that keeps the exported files")
    parser.add_argument("--runtimes", nargs="*", default=["onnxruntime", "openvino"])
    add_arguments(parser, RESULTS)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    # With random weights activations fade to numbers that CPUs are slow with; the runtimes flush them, too.
    torch.set_flush_denormal(True)
    rows: list[Row] = []
    model, info = network(arguments.model)
    with tempfile.TemporaryDirectory() as temporary, torch.inference_mode():
        folder = arguments.files or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        files = export_all(model, info, folder)
        # First, for the threads of the runtimes go on turning for a while after their work.
        apart = {size: {"post-processing in torch": decoding(size, model)} for size in arguments.sizes}
        decoded = {
            size: interleaved(work, arguments.repeats, arguments.clock) for size, work in apart.items()
        }
        for size in arguments.sizes:
            works = contestants(size, model, files, arguments.runtimes)
            times = interleaved(works, arguments.repeats, arguments.clock) | decoded[size]
            rows += rows_of(times, PEER, size=f"{size[0]}x{size[1]}")
            show(rows[-len(times) :])
    write(arguments.output, "python benchmarks/export.py", arguments.clock, rows)


if __name__ == "__main__":
    main()

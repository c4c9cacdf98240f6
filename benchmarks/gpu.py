"""RetinaNet R50 on a GPU beside torchvision's own: prediction in batches, a training step, and the losses.

    python benchmarks/gpu.py                                            800x1333 on a GPU
    python benchmarks/gpu.py --device cpu --size 96x128 --batch 2 --repeats 1 --updates 3    does it run

Both start from the same weights (torchvision's, random from a seed, converted) and get the same pictures of
noise with twenty objects each; theirs keeps its usual float32, which on a GPU takes TF32 where torch does.
Prediction is from pixels on the device to detections. A step is forward, backward and the update of SGD; ours
is the one of `amidst train`, with its check for losses that are not finite. The losses of so many updates on
one batch are listed for theirs, for ours in float32 and for ours in bfloat16: theirs are defined a little
otherwise (each image has its own normaliser, the box loss is not smoothed), so ours are compared with ours.

torchvision is no dependency of amidst: run it in an environment of its own that has both.
"""

from __future__ import annotations

import argparse
import copy
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from interop import freeze
from network import parse_size
from timing import Row, interleaved, rows_of, show, write
from torch import Tensor, nn
from torchvision.models.detection import retinanet_resnet50_fpn

from amidst.apps.cli.weights_foreign import convert_file
from amidst.models.build import size_divisor
from amidst.models.norms import prepare_for_inference
from amidst.models.structures import Target
from amidst.models.weights import ModelInfo, load_model
from amidst.ops.images import ImageBatch, make_batch
from amidst.training.config import OptimConfig
from amidst.training.optim import make_optimiser, set_rate
from amidst.training.update import Learner, Prepared, update

RESULTS = Path(__file__).parent / "results" / "gpu.json"
PEER = "torchvision, eager, float32"
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}
RATE, OBJECTS = 1e-3, 20
Size = tuple[int, int]
Work = Callable[[], object]


def both(size: Size) -> tuple[nn.Module, nn.Module, ModelInfo]:
    """torchvision's RetinaNet with random weights, and the same converted; two parts are not trained."""
    torch.manual_seed(0)
    peer = retinanet_resnet50_fpn(weights=None, weights_backbone=None, min_size=min(size), max_size=max(size))
    freeze(peer)
    for part in (peer.backbone.body.conv1, peer.backbone.body.layer1):
        part.requires_grad_(False)
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "peer.pth"), Path(folder, "ours.safetensors")
        torch.save(peer.state_dict(), source)
        convert_file(source, target, None, min(size), max(size))
        ours, info = load_model(target)
    return peer, ours, info


def pictures(size: Size, number: int) -> tuple[list[Tensor], list[Target]]:
    """Noise of 0..1, (3, H, W) each, and objects of 16 to 256 pixels."""
    g = torch.Generator().manual_seed(0)
    limit = torch.tensor([size[1], size[0]])
    targets = []
    for _ in range(number):
        side = torch.minimum(2 ** (torch.rand(OBJECTS, 2, generator=g) * 4 + 4), limit)
        corner = torch.rand(OBJECTS, 2, generator=g) * (limit - side)
        boxes = torch.cat((corner, corner + side), dim=1)
        targets.append(Target(boxes, torch.randint(0, 80, (OBJECTS,), generator=g)))
    return [torch.rand(3, *size, generator=g) for _ in range(number)], targets


def batch_of(images: list[Tensor], info: ModelInfo) -> ImageBatch:
    pixels = info.config.pixels
    return make_batch(
        [image * 255 for image in images],
        order=pixels.order,
        scale=pixels.scale,
        mean=pixels.mean,
        std=pixels.std,
        divisor=size_divisor(info.config),
    )


def to_the_end(work: Work, device: torch.device) -> Work:
    """A work that waits for its kernels."""

    def run() -> None:
        work()
        if device.type == "cuda":
            torch.cuda.synchronize()

    return run


def predictions(peer: nn.Module, ours: nn.Module, info: ModelInfo, images: list[Tensor]) -> dict[str, Work]:
    """Each is one batch through one network."""
    batch = batch_of(images, info)
    works: dict[str, Work] = {}
    theirs = copy.deepcopy(peer).eval()
    works[PEER] = lambda: theirs(images)
    for name, dtype in PRECISIONS.items():
        network = prepare_for_inference(ours, dtype)
        works[f"amidst, {name}"] = lambda network=network: network(batch)
    return works


def steps(
    peer: nn.Module, ours: nn.Module, info: ModelInfo, images: list[Tensor], targets: list[Target]
) -> dict[str, Callable[[], float]]:
    """Each is one update of one network, and gives its loss before it."""
    theirs = copy.deepcopy(peer).train()
    learnt = [parameter for parameter in theirs.parameters() if parameter.requires_grad]
    optimiser = torch.optim.SGD(learnt, RATE, momentum=0.9, weight_decay=1e-4)
    labels = [{"boxes": one.boxes_xyxy, "labels": one.class_index + 1} for one in targets]

    def peer_step() -> float:
        optimiser.zero_grad(set_to_none=True)
        loss = torch.stack(list(theirs(images, labels).values())).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        return float(loss.detach())

    found: dict[str, Callable[[], float]] = {PEER: peer_step}
    ids = tuple(range(len(images)))
    prepared = Prepared(batch_of(images, info), targets, ids)
    for name, dtype in PRECISIONS.items():
        learner = learner_of(ours, dtype)
        found[f"amidst, {name}"] = lambda learner=learner: sum(
            update(learner, iter([[]]), lambda _samples: prepared, stop=False).losses.values()
        )
    return found


def learner_of(model: nn.Module, dtype: torch.dtype) -> Learner:
    """As `amidst train` makes one, with these weights."""
    network = copy.deepcopy(model).train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    network.backbone.freeze_at = 2
    for part in (network.backbone.conv1, network.backbone.layer1):
        part.requires_grad_(False)
    optimiser = make_optimiser(network, OptimConfig())
    set_rate(optimiser, RATE)
    scaler = torch.amp.GradScaler(enabled=False)
    return Learner(network, network, optimiser, None, scaler, dtype, clip_norm=None, accumulate=1)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--size", type=parse_size, default=(800, 1333))
    parser.add_argument("--batch", type=int, default=8, help="images of a prediction; a step has half")
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--updates", type=int, default=50, help="of the losses that are listed")
    parser.add_argument("--output", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    device = torch.device(arguments.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        sys.exit("benchmarks/gpu.py: torch sees no GPU; --device cpu --size 96x128 tries whether it runs")
    peer, ours, info = both(arguments.size)
    peer, ours = peer.to(device), ours.to(device)
    images, targets = pictures(arguments.size, arguments.batch)
    images, targets = [one.to(device) for one in images], [one.to(device) for one in targets]
    name = torch.cuda.get_device_name() if device.type == "cuda" else "CPU"
    about = {"device": name, "size": "x".join(map(str, arguments.size))}
    with torch.inference_mode():
        works = {key: to_the_end(work, device) for key, work in predictions(peer, ours, info, images).items()}
        times = interleaved(works, arguments.repeats, "wall")
    rows: list[Row] = rows_of(times, PEER, work="prediction", images=arguments.batch, **about)
    show(rows)
    half = max(arguments.batch // 2, 1)
    learning = steps(peer, ours, info, images[:half], targets[:half])
    losses = {key: [round(step(), 4) for _ in range(arguments.updates)] for key, step in learning.items()}
    works = {key: to_the_end(step, device) for key, step in learning.items()}
    times = interleaved(works, arguments.repeats, "wall")
    rows += rows_of(times, PEER, work="training step", images=half, **about)
    show(rows[len(PRECISIONS) + 1 :])
    narrow, whole = losses["amidst, bfloat16"], losses["amidst, float32"]
    apart = max(abs(a - b) / b for a, b in zip(narrow, whole, strict=True))
    rows.append({"work": "losses", "bfloat16_from_float32": round(apart, 4), "losses": losses, **about})
    print(f"losses of bfloat16 at most {apart:.2%} from those of float32")
    write(arguments.output, "python benchmarks/gpu.py", "wall", rows)


if __name__ == "__main__":
    main()

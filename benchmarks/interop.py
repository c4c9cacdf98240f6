"""Converted torchvision detectors against torchvision itself: full outputs on photographs.

Three networks of ours: as loaded, prepared for inference as `amidst predict` does, and as `amidst export`
writes it, in ONNX Runtime.

Both get the same decoded pixels; everything after that is each library's own: resizing, normalising,
padding, network, anchors, decoding, suppression, boxes back in the photograph. Weights are random from a
seed, with batch statistics of real photographs and outputs spread so that there are hundreds of detections,
or real ones:

    python benchmarks/interop.py PHOTOS [--number 8] [--short 800 --long 1333] [--weights NAME=FILE.pth ...]

torchvision is no dependency of amidst: run it in an environment of its own that has both.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
import torchvision
from timing import Row, show, write
from torch import Tensor, nn
from torchvision.models import detection
from torchvision.ops.misc import FrozenBatchNorm2d

from amidst.apps.cli.weights_foreign import convert_file
from amidst.coco.categories import released_categories
from amidst.coco.images import read_image
from amidst.inference.export import export_model
from amidst.inference.finding import find_images
from amidst.inference.predict import Prediction, predict_images
from amidst.inference.runtime import open_exported
from amidst.models.norms import prepare_for_inference
from amidst.models.weights import load_model

RESULTS = Path(__file__).parent / "results" / "interop.json"
COUNTS, SIZES = ("peer", "ours", "same"), ("pixels", "score")
Pictures = Sequence[Tensor]
IDS = [category.id for category in released_categories()]
UNUSED = sorted(set(range(91)) - set(IDS))
MODELS: dict[str, Callable[..., nn.Module]] = {
    "retinanet_resnet50_fpn": detection.retinanet_resnet50_fpn,
    "retinanet_resnet50_fpn_v2": detection.retinanet_resnet50_fpn_v2,
    "fasterrcnn_resnet50_fpn": detection.fasterrcnn_resnet50_fpn,
    "fasterrcnn_resnet50_fpn_v2": detection.fasterrcnn_resnet50_fpn_v2,
}


def make_peer(name: str, weights: Path | None, short: int, long: int, pictures: Pictures) -> nn.Module:
    """A torchvision detector with these weights, or with random ones that find something."""
    torch.manual_seed(0)
    model = MODELS[name](weights=None, weights_backbone=None, min_size=short, max_size=long).eval()
    v1 = not name.endswith("v2")
    if weights is not None:
        model.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    else:
        _take_statistics(model, pictures)
        _spread_outputs(model, pictures)
    if v1:
        freeze(model)
    return model.eval()


def freeze(module: nn.Module) -> None:
    """Its norms as in torchvision's published weights: frozen, eps 0."""
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm2d):
            frozen = FrozenBatchNorm2d(child.num_features, eps=0.0)
            frozen.load_state_dict({k: v for k, v in child.state_dict().items() if "batches" not in k})
            setattr(module, name, frozen)
        else:
            freeze(child)


@torch.no_grad()
def _take_statistics(model: nn.Module, pictures: Pictures) -> None:
    """Batch norms: the statistics of these pictures, a spread of gains and offsets."""
    g = torch.Generator().manual_seed(1)
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the mean over all pictures
        norm.weight.copy_(torch.rand(norm.num_features, generator=g) * 0.5 + 0.75)
        norm.bias.copy_(torch.randn(norm.num_features, generator=g) * 0.1)
        norm.train()
    for picture in pictures:
        model([picture])
    model.eval()


@torch.no_grad()
def _spread_outputs(model: nn.Module, pictures: Pictures) -> None:
    """Last layers rescaled so that their outputs on the first picture have a useful mean and deviation."""
    retina = isinstance(model, detection.RetinaNet)
    if retina:
        heads = model.head
        targets = [
            (heads.classification_head.cls_logits, -4.6, 1.0),
            (heads.regression_head.bbox_reg, 0, 0.3),
        ]
    else:
        predictor = model.roi_heads.box_predictor
        targets = [
            (model.rpn.head.cls_logits, -2.0, 1.5),
            (model.rpn.head.bbox_pred, 0, 0.3),
            (predictor.cls_score, 0, 1.5),
            (predictor.bbox_pred, 0, 1.0),
        ]
    for layer, mean, deviation in targets:
        seen: list[Tensor] = []
        hook = layer.register_forward_hook(lambda _m, _i, out, seen=seen: seen.append(out))
        model(list(pictures[:1]))
        hook.remove()
        outputs = torch.cat([out.transpose(0, 1).flatten(1) for out in seen], dim=1)  # (rows, samples)
        scale = deviation / outputs.std(dim=1).clamp(min=1e-12)
        layer.weight.mul_(scale.view(-1, *[1] * (layer.weight.ndim - 1)))
        layer.bias.copy_(mean - (outputs.mean(dim=1) - layer.bias) * scale)
    if retina:  # as after training: never anything where a category does not exist
        layer = model.head.classification_head.cls_logits
        layer.bias.view(9, 91)[:, UNUSED] = -20
        layer.weight.view(9, 91, *layer.weight.shape[1:])[:, UNUSED] = 0
    else:
        layer = model.roi_heads.box_predictor.cls_score
        layer.bias[UNUSED[1:]] -= 3
        layer.weight[UNUSED[1:]] *= 0.3
        layer.bias[0] += 2


def compare(peer: dict[str, Tensor], ours: Prediction) -> dict[str, float]:
    """Detections of both, each paired with the nearest of its class."""
    ids = torch.tensor(IDS)[ours.detections.class_index]
    boxes, scores = ours.detections.boxes_xyxy, ours.detections.scores
    apart = torch.cdist(peer["boxes"], boxes, p=torch.inf)
    apart[peer["labels"][:, None] != ids[None]] = torch.inf
    apart[(peer["scores"][:, None] - scores[None]).abs() > 1e-2] = torch.inf
    pixels, partner = apart.min(dim=1) if len(boxes) else (torch.full((len(peer["boxes"]),), torch.inf), None)
    same = pixels < 1
    differences = (peer["scores"] - scores[partner]).abs()[same] if partner is not None else pixels[:0]
    return {
        "peer": len(pixels),
        "ours": len(boxes),
        "same": int(same.sum()),
        "pixels": float(pixels[same].max()) if bool(same.any()) else 0.0,
        "score": float(differences.max()) if len(differences) else 0.0,
    }


def run(name: str, files: Sequence[Path], options: argparse.Namespace) -> list[Row]:
    """One architecture: the peer, the converted file, every photograph through both."""
    images = [torch.from_numpy(read_image(path).copy()).permute(2, 0, 1) / 255 for path in files]
    weights = dict(pair.split("=", 1) for pair in options.weights).get(name)
    peer = make_peer(name, Path(weights) if weights else None, options.short, options.long, images)
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, f"{name}.pth"), Path(folder, f"{name}.safetensors")
        torch.save(peer.state_dict(), source)
        convert_file(source, target, None, options.short, options.long)
        plain, info = load_model(target)
        export_model(plain, info, target.with_suffix(".onnx"))
        exported, _ = open_exported(target.with_suffix(".onnx"))
    with torch.no_grad():
        theirs = [peer([image])[0] for image in images]
    rows: list[Row] = []
    ours = {"plain": plain, "prepared": prepare_for_inference(plain), "exported": exported}
    for kind, model in ours.items():
        pairs = [compare(a, b) for a, b in zip(theirs, predict_images(model, info, files), strict=True)]
        rows.append(
            {
                "name": name,
                "network": kind,
                "weights": "real" if weights else "random, seed 0",
                "torchvision": torchvision.__version__,
                "photographs": len(files),
                "resize": [options.short, options.long],
                **{f"detections, {key}": sum(pair[key] for pair in pairs) for key in COUNTS},
                **{f"largest difference, {key}": max(pair[key] for pair in pairs) for key in SIZES},
            }
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("--number", type=int, default=8)
    parser.add_argument("--short", type=int, default=800)
    parser.add_argument("--long", type=int, default=1333)
    parser.add_argument("--weights", nargs="*", default=[], metavar="NAME=FILE")
    parser.add_argument("--models", nargs="*", default=list(MODELS), choices=list(MODELS))
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    files = find_images([options.photos])[: options.number]
    rows: list[Row] = []
    for name in options.models:
        rows += run(name, files, options)
        show(rows[-3:])
    write(options.output, "python benchmarks/interop.py", "not timed", rows)


if __name__ == "__main__":
    main()

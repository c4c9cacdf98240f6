"""What the layouts of other families have in common: which of their modules is which of ours.

A layout is read off names and shapes alone: how deep the backbone is, which level the pyramid begins with,
how wide it is, how many classes. Numbers of classes are as the file has them, background included.

Shapes: C class outputs of a file, K foreground classes that are kept, A anchors per cell.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from torch import Tensor

from amidst.errors import WeightsError
from amidst.models.config import BackboneName, ModelConfig

Modules = dict[str, str]  # their name of a module -> ours

DEPTHS: dict[tuple[int, ...], dict[int, BackboneName]] = {  # blocks of the stages; convolutions of a block
    (2, 2, 2, 2): {2: "resnet18"},
    (3, 4, 6, 3): {2: "resnet34", 3: "resnet50"},
    (3, 4, 23, 3): {3: "resnet101"},
}


@dataclass(frozen=True)
class Layout:
    """A family's checkpoint, recognised. `config` is complete but for the number of classes."""

    family: str  # "torchvision", ...
    architecture: str  # in that family's words
    config: ModelConfig
    modules: Modules
    outputs: int  # C
    background: Literal["none", "first", "last"]  # among the C; "first" may be unused (RetinaNet)
    aspects_first: bool = False  # anchors of a cell run by aspect, then size; ours by size, then aspect
    left_out: Mapping[str, str] = field(default_factory=dict)  # beginning of names -> why they are not needed


def resnet_name(tensors: Mapping[str, Tensor], stage: str) -> BackboneName:
    """The ResNet whose stages are called `stage.format(1)` ... Raises WeightsError for one we do not have."""
    counts = tuple(_blocks(tensors, stage.format(number)) for number in range(1, 5))
    convs = 3 if f"{stage.format(1)}.0.conv3.weight" in tensors else 2
    try:
        return DEPTHS[counts][convs]
    except KeyError:
        raise WeightsError(
            f"a backbone of {counts} blocks of {convs} convolutions; known are ResNet-18, 34, 50 and 101"
        ) from None


def _blocks(tensors: Mapping[str, Tensor], stage: str) -> int:
    return count(tensors, stage + ".{}.conv1.weight")


def count(tensors: Mapping[str, Tensor], name: str) -> int:
    """How many of `name.format(0)`, `name.format(1)`, ... there are."""
    number = 0
    while name.format(number) in tensors:
        number += 1
    return number


def resnet_modules(tensors: Mapping[str, Tensor], prefix: str) -> Modules:
    """Backbones with torchvision's names, after `prefix`."""
    modules = {f"{prefix}conv1": "backbone.conv1", f"{prefix}bn1": "backbone.bn1"}
    for number in range(1, 5):
        for block in range(_blocks(tensors, f"{prefix}layer{number}")):
            place = f"layer{number}.{block}"
            for part in ("conv1", "bn1", "conv2", "bn2", "conv3", "bn3", "downsample.0", "downsample.1"):
                modules[f"{prefix}{place}.{part}"] = f"backbone.{place}.{part}"
    return modules


def numbered(theirs: str, ours: str, number: int, first: int = 0) -> Modules:
    """Modules `theirs.format(0)`... -> `ours.format(first)`..."""
    return {theirs.format(index): ours.format(first + index) for index in range(number)}


def first_size(tensors: Mapping[str, Tensor], name: str) -> int:
    """Outputs of a layer. Raises WeightsError where it is missing."""
    if name not in tensors or tensors[name].ndim == 0:
        raise WeightsError(f"{name} is missing, which tells the shape of the network")
    return int(tensors[name].shape[0])


def per_anchor(outputs: int, anchors: int, name: str) -> int:
    """Outputs of a dense layer for each anchor of a cell. Raises WeightsError where they do not divide."""
    if outputs % anchors:
        raise WeightsError(f"{name} has {outputs} outputs, which are not {anchors} anchors times the classes")
    return outputs // anchors

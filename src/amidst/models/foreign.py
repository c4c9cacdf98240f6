"""A checkpoint of another family becomes one of ours.

    recognise     which family and architecture, read off names and shapes (foreign_<family>.py)
    choose        which of its class outputs are the classes of ours, and which only share a softmax
    convert       names replaced, rows reordered; every tensor accounted for

Geometry is not converted: the configuration takes over the family's own. Only the order of rows changes:

    classes       rows of the chosen classes, then those of silent ones, then background
    anchors       from (aspect, size) to (size, aspect) where the family runs that way

Shapes: C class outputs of a file, K classes of ours, A = S * R anchors per cell (S sizes, R aspects).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
import torch
from torch import Tensor

from amidst.errors import WeightsError
from amidst.models import foreign_detectron2, foreign_mmdetection, foreign_torchvision
from amidst.models.build import build_model
from amidst.models.config import FasterRCNNConfig, ModelConfig, RetinaNetConfig
from amidst.models.foreign_files import Checkpoint
from amidst.models.foreign_layout import Layout

COCO_OUTPUTS = 91  # of torchvision's files of COCO: one for each id, 0..90
COCO_GAPS = frozenset({12, 26, 29, 30, 45, 66, 68, 69, 71, 83})  # ids of 1..90 that were never released
COCO_IDS = tuple(number for number in range(1, COCO_OUTPUTS) if number not in COCO_GAPS)
COUNTERS = "num_batches_tracked"  # of live batch norms
FAMILIES = "torchvision, detectron2 and mmdetection: RetinaNet and Faster R-CNN with a feature pyramid"


@dataclass(frozen=True)
class Place:
    """What becomes of one tensor of the file."""

    name: str  # theirs
    shape: tuple[int, ...]
    ours: str | None  # None: nothing
    reason: str = ""  # why nothing


@dataclass(frozen=True)
class Choice:
    """Class outputs of the file, 0..C-1."""

    rows: tuple[int, ...]  # K, in the order of our class indices
    silent: tuple[int, ...] = ()  # share the softmax, are never reported
    background: int | None = None


@dataclass(frozen=True)
class Conversion:
    """The network in our terms. It is whole where no tensor is listed beside its state."""

    config: ModelConfig
    state: dict[str, Tensor]
    unknown: tuple[str, ...]  # their tensors that nothing was made of
    missing: tuple[str, ...]  # our tensors that nothing was found for
    misshapen: tuple[str, ...]  # our tensors of another shape, with both
    not_finite: tuple[str, ...] = ()  # their tensors that hold NaN or infinity

    @property
    def whole(self) -> bool:
        """Whether every tensor was used and every parameter filled, with numbers."""
        return not (self.unknown or self.missing or self.misshapen or self.not_finite)


def recognise(checkpoint: Checkpoint, source: object) -> Layout:
    """The layout of a checkpoint. Raises WeightsError, naming `source`, for one of no family known here."""
    tensors = checkpoint.tensors
    try:
        found = (
            foreign_torchvision.recognise(tensors)
            or foreign_detectron2.recognise(tensors)
            or foreign_mmdetection.recognise(tensors, checkpoint.facts)
        )
    except WeightsError as error:
        raise WeightsError(f"{source}: {error}") from None
    if found is None:
        first = ", ".join(list(tensors)[:3])
        raise WeightsError(
            f"{source}: {len(tensors)} tensors of no layout known here ({first}, ...); known: {FAMILIES}"
        )
    return found


def class_names(checkpoint: Checkpoint) -> tuple[str, ...]:
    """Names of classes inside the file, none where it has none."""
    return foreign_mmdetection.class_names(checkpoint.facts)


def places(layout: Layout, tensors: Mapping[str, Tensor]) -> list[Place]:
    """What becomes of each tensor of the file."""
    return [Place(name, tuple(tensor.shape), *_place(layout, name)) for name, tensor in tensors.items()]


def _place(layout: Layout, name: str) -> tuple[str | None, str]:
    module, _, leaf = name.rpartition(".")
    if leaf == COUNTERS and module in layout.modules:
        return None, "a counter, not needed for prediction"
    for beginning, why in layout.left_out.items():
        if name.startswith(beginning):
            return None, why
    if module in layout.modules:
        return f"{layout.modules[module]}.{leaf}", ""
    return None, "not known"


def choose_classes(layout: Layout, number: int, ids: Sequence[int]) -> Choice:
    """The outputs of `number` classes, whose category ids are `ids`.

    torchvision's files of COCO have an output for each id, 0..90: COCO's 80 are found by their released ids,
    and by nothing else. Raises WeightsError for another number of classes than the file has.
    """
    outputs = layout.outputs
    foreground = outputs if layout.background == "none" else outputs - 1
    first = 1 if layout.background == "first" else 0
    of_coco = layout.family == "torchvision" and outputs == COCO_OUTPUTS
    if of_coco and tuple(ids) == COCO_IDS:
        rows = COCO_IDS
    elif number == foreground:
        rows = tuple(range(first, first + number))
    elif layout.family == "torchvision" and layout.background == "none" and number == outputs - 1:
        rows = tuple(range(1, outputs))  # labels from 1: nothing was ever of class 0
    else:
        hint = ", or COCO's 80 with COCO's names in COCO's order, or its ids" if of_coco else ""
        raise WeightsError(f"the file has {foreground} classes, {number} are named; expected as many{hint}")
    background = {"none": None, "first": 0, "last": outputs - 1}[layout.background]
    rest = () if background is None else tuple(sorted(set(range(outputs)) - {*rows, background}))
    return Choice(rows, rest, background)


def convert(layout: Layout, tensors: Mapping[str, Tensor], choice: Choice) -> Conversion:
    """The network of a checkpoint in our terms, whole or not."""
    config = _with_classes(layout.config, choice)
    state: dict[str, Tensor] = {}
    unknown: list[str] = []
    for place in places(layout, tensors):
        if place.ours is None:
            unknown += [place.name] if place.reason == "not known" else []
        elif place.ours in state:
            unknown.append(f"{place.name} (a second {place.ours})")
        else:
            state[place.ours] = _rearranged(layout, place.ours, tensors[place.name], choice)
    with torch.device("meta"):
        expected = build_model(config).state_dict()
    unknown += [f"{name} (ours has no such part)" for name in state if name not in expected]
    misshapen = [
        f"{name}: {tuple(state[name].shape)}, expected {tuple(tensor.shape)}"
        for name, tensor in expected.items()
        if name in state and state[name].shape != tensor.shape
    ]
    missing = [name for name in expected if name not in state]
    not_finite = [
        place.name
        for place in places(layout, tensors)
        if place.ours is not None and not bool(tensors[place.name].isfinite().all())
    ]
    return Conversion(config, state, *map(tuple, (unknown, missing, misshapen, not_finite)))


def _with_classes(config: ModelConfig, choice: Choice) -> ModelConfig:
    if isinstance(config, FasterRCNNConfig):
        head = msgspec.structs.replace(config.roi.head, silent=len(choice.silent))
        roi = msgspec.structs.replace(config.roi, head=head)
        return msgspec.structs.replace(config, num_classes=len(choice.rows), roi=roi)
    return msgspec.structs.replace(config, num_classes=len(choice.rows))


def _rearranged(layout: Layout, ours: str, tensor: Tensor, choice: Choice) -> Tensor:
    """A tensor with its rows in our order; as it is where they do not divide, which its shape then tells."""
    part = ours.rpartition(".")[0]
    if part in ("class_subnet.predict", "box_subnet.predict"):
        outputs = layout.outputs if part == "class_subnet.predict" else 4
        rows = choice.rows if part == "class_subnet.predict" else range(4)
        return _dense_rows(layout, tensor, outputs, rows)
    background = () if choice.background is None else (choice.background,)
    if part == "region_head.class_logits":
        return _rows(tensor, layout.outputs, (*choice.rows, *choice.silent, *background))
    if part == "region_head.box_codes":  # torchvision has codes of background, in the first place
        foreground = layout.outputs - (layout.background == "last")
        return _rows(tensor, foreground, choice.rows)
    return tensor


def _rows(tensor: Tensor, outputs: int, rows: Sequence[int]) -> Tensor:
    """(C * n, ...) -> (rows * n, ...)."""
    if tensor.shape[0] % outputs:
        return tensor
    grouped = tensor.reshape(outputs, -1, *tensor.shape[1:])  # (C*n, ...) -> (C, n, ...)
    return grouped[list(rows)].flatten(0, 1)


def _dense_rows(layout: Layout, tensor: Tensor, outputs: int, rows: Sequence[int]) -> Tensor:
    """(A * C, ...) -> (A * rows, ...), anchors by size, then aspect."""
    assert isinstance(layout.config, RetinaNetConfig)
    sizes, aspects = layout.config.anchors.octave_scales, len(layout.config.anchors.aspects)
    if tensor.shape[0] != sizes * aspects * outputs:
        return tensor
    order = (aspects, sizes) if layout.aspects_first else (sizes, aspects)
    grouped = tensor.reshape(*order, outputs, *tensor.shape[1:])[:, :, list(rows)]
    if layout.aspects_first:
        grouped = grouped.transpose(0, 1)
    return grouped.flatten(0, 2)

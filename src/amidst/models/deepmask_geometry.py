"""The sizes of DeepMask, all from the name of its trunk (C.1, Table 3.1). Does not import torch.

    W160-P4-D39-F128    patches of 160 px, halved 4 times by 39 convolutions, 128 channels at the end
    W160-P4-D8-VGG      the same of the 8 convolutions of VGG-A, backbone vgg11

    patch   W          side of the patch that a score and a mask are about
    stride  2^P        pixels between neighbouring patches
    cells   W / 2^P    side of the patch's last feature map ("S")
    crop    W + 32     side of a patch in training: 16 px of real context on each side
    object  ceil(W 128 / 224)    the larger side of an object of the right size

Without F the reduction has 512 channels. D is there to be read: it must be what the backbone has.

Scales. The released grid for W = 160 is 2^-2.5, 2^-2, ..., 2^0.5; other patches look for the same objects,
so theirs is moved by log2(W / 160) to the nearest half octave. Zoom 1 and 2 add 2^1 and 2^1.5.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from amidst.errors import ConfigError
from amidst.models.config import BackboneName, DeepMaskConfig

NAME = re.compile(r"W(?P<patch>\d+)-P(?P<halvings>\d)-D(?P<depth>\d+)(?P<vgg>-VGG)?(?:-F(?P<features>\d+))?")
CONTEXT = 16  # pixels on each side
WIDEST_REDUCTION = 512
RELEASED_PATCH = 160
RELEASED_EXPONENTS = (-2.5, -2.0, -1.5, -1.0, -0.5, 0.0, 0.5)
FINER_EXPONENTS = (1.0, 1.5)

# Convolutions (of ResNets after the stem) up to C_l for l = 3, 4, without shortcuts.
DEPTHS: dict[BackboneName, dict[int, int]] = {
    "resnet18": {3: 8, 4: 12},
    "resnet34": {3: 14, 4: 26},
    "resnet50": {3: 21, 4: 39},
    "resnet101": {3: 21, 4: 90},
    "vgg11": {3: 6, 4: 8},
    "efficientnet_lite0": {3: 14, 4: 32},
    "tiny": {3: 2, 4: 3},
}


@dataclass(frozen=True, slots=True)
class Geometry:
    """What the header lists, in pixels of the patch."""

    patch: int
    halvings: int
    features: int

    @property
    def stride(self) -> int:
        """Pixels between neighbouring cells."""
        return int(2**self.halvings)

    @property
    def cells(self) -> int:
        """Side of the patch in cells."""
        return self.patch // self.stride

    @property
    def crop(self) -> int:
        """Side of a training patch with its context."""
        return self.patch + 2 * CONTEXT

    @property
    def object_side(self) -> int:
        """The larger side of an object of the right size."""
        return -(-self.patch * 128 // 224)

    @property
    def clearance(self) -> float:
        """How far off the centre an object of the right size must be for the patch to show none."""
        return 32 * self.patch / 224


def geometry(config: DeepMaskConfig) -> Geometry:
    """The sizes that `config.trunk` names. Raises ConfigError for a name that does not fit the backbone."""
    name, backbone = config.trunk, config.backbone.name
    found = NAME.fullmatch(name)
    if found is None:
        raise ConfigError(f"model.trunk {name!r}: expected W<side>-P<halvings>-D<depth>[-VGG][-F<channels>]")
    if found["vgg"] and backbone != "vgg11":
        raise ConfigError(f"model.trunk {name!r}: expected model.backbone.name=vgg11, found {backbone}")
    if backbone == "vgg11" and not found["vgg"]:
        raise ConfigError(f"model.trunk {name!r}: backbone vgg11 has names like W160-P4-D8-VGG")
    halvings, depth = int(found["halvings"]), int(found["depth"])
    depths = DEPTHS[backbone]
    if halvings not in depths:
        raise ConfigError(f"model.trunk {name!r}: expected P3 or P4, found P{halvings}")
    if depth != depths[halvings]:
        raise ConfigError(
            f"model.trunk {name!r}: {backbone} has {depths[halvings]} convolutions up to {halvings} "
            f"halvings: expected D{depths[halvings]}"
        )
    patch = int(found["patch"])
    cells, rest = divmod(patch, 2**halvings)
    if rest or not cells:
        raise ConfigError(f"model.trunk {name!r}: W must be a multiple of {2**halvings}")
    if config.head == "original" and cells % 2:
        raise ConfigError(f'model.head "original" pools cells in pairs; {name!r} has {cells}, an odd number')
    return Geometry(patch, halvings, int(found["features"] or WIDEST_REDUCTION))


def scales(config: DeepMaskConfig) -> tuple[float, ...]:
    """The factors by which an image is scaled, ascending."""
    exponents = config.decode.exponents
    if exponents is None:
        shift = round(2 * math.log2(geometry(config).patch / RELEASED_PATCH)) / 2
        exponents = tuple(e + shift for e in RELEASED_EXPONENTS + FINER_EXPONENTS[: config.decode.zoom])
    return tuple(2.0**e for e in sorted(exponents))

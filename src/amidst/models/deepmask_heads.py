"""The score branches of DeepMask (C.4, Table 3.2, Fig. 3.3).

    original    2x2 max-pool of the trunk -> S/2 x S/2 conv 512 -> 1024 -> 1
    A           own 1x1 reduction of the trunk -> S x S conv 512 -> 1024 -> 1
    B           the mask branch's reduction -> S x S conv 512 -> 1024 -> 1
    C           the mask branch's 512 numbers -> 1024 -> 1

Fully connected layers are convolutions of the size of what they see, so that one network scores a patch and
all patches of an image. Pooling by two would leave every other patch out; pooling at every cell and a
convolution that takes every other one of them (dilation 2) are the same numbers for each patch, at once for
all.

Shapes: B images or patches, S cells along a patch, R x C patches of an image (1 x 1 for a patch).
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from amidst.models.config import DeepMaskConfig
from amidst.models.deepmask_geometry import Geometry

CODE = 512  # numbers that describe a patch
HIDDEN = 1024


class ScoreHead(nn.Module):
    """One logit for each patch: is a whole object of the right size at its centre?"""

    def __init__(self, config: DeepMaskConfig, sizes: Geometry, trunk_channels: int) -> None:
        super().__init__()
        self.kind = config.head
        self.look = LOOKS[config.head](sizes, trunk_channels)
        self.judge = nn.Sequential(
            nn.Dropout(config.dropout),
            nn.Conv2d(CODE, HIDDEN, 1),
            nn.ReLU(),
            nn.Dropout(config.dropout),
            nn.Conv2d(HIDDEN, 1, 1),
        )

    def forward(self, trunk: Tensor, reduced: Tensor, codes: Tensor) -> Tensor:
        """trunk (B, C, h, w), reduced (B, F, h, w), codes (B, 512, R, C) -> logits (B, R, C)."""
        seen = {"original": trunk, "A": trunk, "B": reduced, "C": codes}[self.kind]
        logits: Tensor = self.judge(self.look(seen))
        return logits[:, 0]


def _original(sizes: Geometry, trunk_channels: int) -> nn.Module:
    return nn.Sequential(
        nn.MaxPool2d(2, stride=1),
        nn.Conv2d(trunk_channels, CODE, sizes.cells // 2, dilation=2),
        nn.ReLU(),
    )


def _head_a(sizes: Geometry, trunk_channels: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(trunk_channels, sizes.features, 1),
        nn.ReLU(),
        nn.Conv2d(sizes.features, CODE, sizes.cells),
        nn.ReLU(),
    )


def _head_b(sizes: Geometry, trunk_channels: int) -> nn.Module:  # noqa: ARG001 - like the others
    return nn.Sequential(nn.Conv2d(sizes.features, CODE, sizes.cells), nn.ReLU())


def _head_c(sizes: Geometry, trunk_channels: int) -> nn.Module:  # noqa: ARG001 - like the others
    return nn.Identity()


LOOKS: dict[str, Callable[[Geometry, int], nn.Module]] = {
    "original": _original,
    "A": _head_a,
    "B": _head_b,
    "C": _head_c,
}

"""What can be asked of a mask proposal network anew each time it runs, for its weights do not depend on it.

    number      most proposals of an image, more or fewer than it was trained with (C.6, G)
    threshold   of a mask: probability above which a pixel is on the object
    zoom        finer scales than the model's grid has, 0, 1 or 2 (section 3.5.3): DeepMask and SharpMask
    coarse      the masks of the DeepMask within a SharpMask (section 3.3.3)

An exported graph is fixed: it can be given another threshold, which is applied outside it, and its proposals
can be cut to fewer. A model is exported with the settings that it has then.
"""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, replace

from torch import nn

from amidst.config import override
from amidst.errors import UsageError
from amidst.models.config import DeepMaskConfig, MaskConfig, SharpMaskConfig
from amidst.models.deepmask import DeepMask
from amidst.models.fpn_masks import FPNMasks
from amidst.models.weights import ModelInfo


@dataclass(frozen=True)
class ProposalSettings:
    """What is left out stays as in the model's configuration."""

    number: int | None = None
    threshold: float | None = None
    zoom: int | None = None
    coarse: bool = False


def adjusted(model: nn.Module, info: ModelInfo, settings: ProposalSettings) -> tuple[nn.Module, ModelInfo]:
    """The model with these settings, sharing its weights, and its description; both as they are for none.

    Raises UsageError for what the family does not have or an exported graph cannot change, and ConfigError
    for a value out of range.
    """
    config = info.config
    if not isinstance(config, MaskConfig):
        raise UsageError("this model proposes no masks; amidst predict runs it")
    _check_family(config, settings)
    wanted = {
        "decode.num_proposals": settings.number,
        "decode.mask_threshold": settings.threshold,
        "decode.zoom": settings.zoom if isinstance(config, DeepMaskConfig) else None,
        "masks": "coarse" if settings.coarse else None,
    }
    if not is_adjustable(model):
        _check_exported(config, settings)
        wanted["decode.num_proposals"] = None  # proposals are cut where they come out
    changes = [f"{key}={json.dumps(value)}" for key, value in wanted.items() if value is not None]
    if not changes:
        return model, info
    config = override(config, changes)
    changed = copy.copy(model)  # of the outermost module: what it holds is shared
    vars(changed)["config"] = config
    return changed, replace(info, config=config)


def is_adjustable(model: nn.Module) -> bool:
    """Whether the model is a network of this project in torch, not an exported graph."""
    return isinstance(model, DeepMask | FPNMasks)


def _check_family(config: MaskConfig, settings: ProposalSettings) -> None:
    if settings.coarse and not isinstance(config, SharpMaskConfig):
        raise UsageError("coarse masks are those within a SharpMask; this model has one kind of masks")
    if not settings.zoom:
        return
    if not isinstance(config, DeepMaskConfig):  # a SharpMask's is one, too
        raise UsageError("zoom adds scales to DeepMask and SharpMask; FPN masks look at one scale")
    if config.decode.exponents is not None:
        raise UsageError(
            f"zoom adds to the released scales; this model has its own: {list(config.decode.exponents)}"
        )


def _check_exported(config: MaskConfig, settings: ProposalSettings) -> None:
    fixed = "an exported graph keeps the scales, masks and number of proposals that it was exported with"
    changed = settings.zoom is not None and getattr(config.decode, "zoom", 0) != settings.zoom
    if changed or (settings.coarse and getattr(config, "masks", "coarse") != "coarse"):
        raise UsageError(f"{fixed}; amidst export has --zoom and --coarse, too")
    most = config.decode.num_proposals
    if settings.number is not None and settings.number > most:
        raise UsageError(
            f"{fixed}: at most {most} of them, not {settings.number}; amidst export -n {settings.number} "
            "writes a file that gives so many"
        )

"""Faster R-CNN put together from an RPN and a Fast R-CNN that were trained in steps (F.5).

    1. RPN from ImageNet weights                       3. RPN head on the frozen maps of 2
    2. Fast R-CNN from ImageNet weights, on 1          4. Fast R-CNN head on the frozen maps of 2, on 3
       proposals of 1                                     proposals of 3

After step 4 both networks have the same backbone and pyramid. What step 3 starts from is `rpn_on_maps_of`;
what becomes of 3 and 4 is `assemble`.
"""

from __future__ import annotations

from torch import Tensor, nn

from amidst.errors import WeightsError
from amidst.models.config import FasterRCNNConfig, FastRCNNConfig, FPNConfig, RPNConfig
from amidst.models.fast_rcnn import FastRCNN
from amidst.models.faster_rcnn import FasterRCNN
from amidst.models.rpn import RPN


def join_configs(rpn: RPNConfig, fast: FastRCNNConfig) -> FasterRCNNConfig:
    """The Faster R-CNN made of an RPN and a Fast R-CNN on the same maps.

    Raises WeightsError where their maps differ; the RPN's pyramid may have coarser levels on top.
    """
    for what, ours, theirs in (
        ("pixels", rpn.pixels, fast.pixels),
        ("backbone", rpn.backbone, fast.backbone),
        ("maps", rpn.maps, fast.maps),
        ("fpn", _without_top(rpn.fpn), _without_top(fast.fpn)),
    ):
        if ours != theirs:
            raise WeightsError(f"the RPN and the Fast R-CNN share no maps: {what} is {ours} against {theirs}")
    return FasterRCNNConfig(
        num_classes=fast.num_classes,
        pixels=rpn.pixels,
        backbone=rpn.backbone,
        fpn=rpn.fpn,
        maps=rpn.maps,
        rpn=rpn.rpn,
        roi=fast.roi,
    )


def _without_top(config: FPNConfig) -> tuple[object, ...]:
    return config.channels, config.min_level, config.norm, config.lateral, config.top_down


def rpn_on_maps_of(fast: FastRCNN, config: RPNConfig) -> RPN:
    """An RPN with a new head and the backbone and pyramid of `fast`. Raises WeightsError if they differ."""
    join_configs(config, fast.config)
    rpn = RPN(config)
    theirs = fast.state_dict()
    rpn.load_state_dict({name: theirs.get(name, value) for name, value in rpn.state_dict().items()})
    return rpn


def assemble(rpn: RPN, fast: FastRCNN) -> FasterRCNN:
    """The network with the head of `rpn` and all else of `fast`.

    Raises WeightsError unless both have the same maps with the same weights.
    """
    model = FasterRCNN(join_configs(rpn.config, fast.config))
    state, ours = fast.state_dict(), rpn.state_dict()
    own = _names_of_last_stage(fast)
    different = [
        name for name in state if name in ours and name not in own and not ours[name].equal(state[name])
    ]
    if different:
        raise WeightsError(
            f"the RPN and the Fast R-CNN differ in {len(different)} weights of their maps, such as "
            f"{different[0]}: train both on the same frozen maps"
        )
    model.load_state_dict(
        state | {name: value for name, value in ours.items() if name.startswith("rpn_head.")}
    )
    return model


def _names_of_last_stage(network: FastRCNN) -> set[str]:
    """Tensors of the stage that Fast R-CNN on C4 runs over regions: they are its head, not shared."""
    tensors: list[Tensor] = []
    for stage in network.last_stage_on_regions():
        tensors += [*stage.parameters(), *stage.buffers()]
    found = {id(tensor) for tensor in tensors}
    return {name for name, tensor in _tensors(network) if id(tensor) in found}


def _tensors(network: nn.Module) -> list[tuple[str, Tensor]]:
    return [*network.named_parameters(), *network.named_buffers()]

"""Convolution and normalisation as one operation (J.2).

A frozen batch norm is a fixed map per channel, and a map per channel after a convolution is a convolution:

    norm(conv(x; w)) = conv(x; w * scale) + shift
    scale = weight / sqrt(running_var + eps),  shift = bias - running_mean * scale

`conv_norm` computes the right-hand side: no second pass over the activations and none kept for its gradient,
in training as in inference. `conv.weight` stays a parameter of its own (the gradient flows through the
product), so files of weights and their key names (torchvision's) do not change.

`prepare_for_inference` does that product once and for all.

Shapes: B images, C channels in, D channels out, H x W cells.
"""

from __future__ import annotations

import copy
import itertools
import math
from typing import Literal, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from amidst.models.config_parts import LayerNorm
from amidst.models.depthwise import depthwise, is_served
from amidst.models.fused import FusedConv2d, rectify
from amidst.models.winograd import WinogradConv2d, suits_winograd

NormKind = Literal["frozen", "batch", "group"]
GROUPS = 32


class FrozenNorm(nn.Module):
    """Batch norm with fixed statistics and a fixed affine map: buffers only, nothing to train."""

    weight: Tensor
    bias: Tensor
    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.register_buffer("weight", torch.ones(channels))
        self.register_buffer("bias", torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        """The map on its own (B, C, H, W); `conv_norm` never needs it."""
        scale, shift = scale_shift(self)
        return x * scale[:, None, None] + shift[:, None, None]

    def extra_repr(self) -> str:
        return f"{self.weight.shape[0]}, eps={self.eps}"


def make_norm(kind: NormKind, channels: int, eps: float) -> nn.Module:
    """The normalisation of one convolution's output."""
    if kind == "frozen":
        return FrozenNorm(channels, eps)
    if kind == "batch":
        return nn.BatchNorm2d(channels, eps=eps)
    return group_norm(channels, eps)


def group_norm(channels: int, eps: float = 1e-5) -> nn.GroupNorm:
    """GroupNorm of 32 groups, or of the largest divisor of 32 that divides `channels`."""
    return nn.GroupNorm(math.gcd(GROUPS, channels), channels, eps=eps)


def scale_shift(norm: FrozenNorm | nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """scale (D,) and shift (D,) of the map per channel, float32."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
    return scale, norm.bias - norm.running_mean * scale


def conv_norm(x: Tensor, conv: nn.Conv2d, norm: nn.Module) -> Tensor:
    """norm(conv(x)): (B, C, H, W) -> (B, D, H', W'); a frozen norm is folded into the weights."""
    if not isinstance(norm, FrozenNorm):
        y: Tensor = norm(conv(x))
        return y
    scale, shift = scale_shift(norm)
    weight = conv.weight * scale[:, None, None, None]  # (D, C / groups, k, k)
    if conv.bias is not None:
        shift = shift + conv.bias * scale
    padding = conv.padding
    assert not isinstance(padding, str)
    if is_served(conv, x) and torch.is_grad_enabled():
        return depthwise(x, weight, shift, conv.stride[0], padding[0])
    return F.conv2d(x, weight, shift, conv.stride, padding, conv.dilation, conv.groups)


def conv_norm_relu(
    x: Tensor, conv: nn.Conv2d, norm: nn.Module, add: Tensor | None = None, ceiling: float | None = None
) -> Tensor:
    """min(relu(norm(conv(x)) + add), ceiling), in one pass in a network prepared for inference."""
    if isinstance(conv, FusedConv2d) and isinstance(norm, nn.Identity):
        return conv.rectified(x, add, ceiling)
    return rectify(conv_norm(x, conv, norm), add, ceiling)


class ConvNorm(nn.Module):
    """A convolution and its normalisation; without one (`norm=None`) the convolution has a bias."""

    def __init__(self, conv: nn.Conv2d, norm: nn.Module | None = None) -> None:
        super().__init__()
        self.conv = conv
        self.norm = nn.Identity() if norm is None else norm

    def forward(self, x: Tensor) -> Tensor:
        return conv_norm(x, self.conv, self.norm)


def with_norm(kind: LayerNorm, conv: nn.Conv2d) -> ConvNorm:
    """`conv` alone, or followed by GroupNorm or a frozen norm."""
    return ConvNorm(conv, None if kind == "none" else make_norm(kind, conv.out_channels, 1e-5))


M = TypeVar("M", bound=nn.Module)


def prepare_for_inference(model: M, dtype: torch.dtype = torch.float32) -> M:
    """A copy for prediction only: norms multiplied into the weights, channels-last, eval, no gradients.

    On a CPU, rectifiers are computed within the convolutions (`fused`), and in float32 wide 3x3 convolutions
    take fewer multiplications (`winograd`): the copy predicts the same to rounding. `dtype=torch.bfloat16` is
    several times faster on hardware with matrix units for it (GPUs, CPUs with AMX), slower elsewhere, and
    keeps three digits. The input is left as it is; the state dict of the copy is no longer the network's, so
    save the original.
    """
    model = fold_norms(model)
    model.to(dtype=dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.Conv2d):
                fast = WinogradConv2d(child) if suits_winograd(child) else FusedConv2d(child)
                module.register_module(name, fast)
    return model


def fold_norms(model: M) -> M:
    """A copy for prediction with norms multiplied into the weights, of plain modules: what is exported."""
    model = copy.deepcopy(model).eval().requires_grad_(False)
    for module in list(model.modules()):
        for conv_name, norm_name in _pairs(module):
            _fold(module, conv_name, norm_name)
    return model


def _pairs(module: nn.Module) -> list[tuple[str, str]]:
    """Names of the (convolution, foldable norm) neighbours among the children of `module`.

    Every block registers a convolution directly before its norm, which is how they are found.
    """
    children = list(module.named_children())
    return [
        (conv_name, norm_name)
        for (conv_name, conv), (norm_name, norm) in itertools.pairwise(children)
        if isinstance(conv, nn.Conv2d) and isinstance(norm, FrozenNorm | nn.BatchNorm2d)
    ]


def _fold(owner: nn.Module, conv_name: str, norm_name: str) -> None:
    conv, norm = getattr(owner, conv_name), getattr(owner, norm_name)
    scale, shift = scale_shift(norm)
    if conv.bias is not None:
        shift = shift + conv.bias * scale
    conv.weight = nn.Parameter(conv.weight * scale[:, None, None, None], requires_grad=False)
    conv.bias = nn.Parameter(shift, requires_grad=False)
    setattr(owner, norm_name, nn.Identity())

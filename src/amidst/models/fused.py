"""Convolution, sum and rectifier in one pass, for prediction on a CPU.

    FusedConv2d.rectified(x, add) = relu(conv(x) + add), or relu6

The rectifier and the sum of a residual block each read and write the whole map, which on a CPU costs about a
sixth of a ResNet's time; oneDNN, the library behind torch's convolutions, can do both while a result is still
in a register. Its fused operators are those that torch.compile uses. They are not in torch's documented
interface, so they are looked up, and where they are missing the plain operations give the same numbers.

Shapes: B images, C channels in, D channels out, H x W cells.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class FusedConv2d(nn.Conv2d):
    """The convolution `conv` with its own weights, for prediction only: give it to nothing that trains."""

    def __init__(self, conv: nn.Conv2d) -> None:
        with torch.device("meta"):  # the tensors come from `conv`
            super().__init__(
                conv.in_channels,
                conv.out_channels,
                conv.kernel_size,  # type: ignore[arg-type] # pairs, as torch stores them
                conv.stride,  # type: ignore[arg-type]
                conv.padding,  # type: ignore[arg-type]
                conv.dilation,  # type: ignore[arg-type]
                conv.groups,
                conv.bias is not None,
                conv.padding_mode,
            )
        self.weight, self.bias = conv.weight, conv.bias

    def forward(self, input: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, D, H', W')."""
        return self._pointwise(input, "none", []) if self._served(input) else super().forward(input)

    def rectified(self, x: Tensor, add: Tensor | None = None, ceiling: float | None = None) -> Tensor:
        """min(relu(conv(x) + add), ceiling); `add` (B, D, H', W') is left as it is."""
        if not self._served(x):
            return rectify(super().forward(x), add, ceiling)
        if add is None:
            attribute = ("relu", []) if ceiling is None else ("hardtanh", [0.0, ceiling])
            return self._pointwise(x, *attribute)
        if ceiling is not None:
            return rectify(self._pointwise(x, "none", []), add, ceiling)
        y: Tensor = OPERATORS._convolution_pointwise.binary(
            x, add, *self._arguments(), "add", 1.0, "relu", [], ""
        )
        return y

    def _pointwise(self, x: Tensor, attribute: str, numbers: list[float]) -> Tensor:
        y: Tensor = OPERATORS._convolution_pointwise(x, *self._arguments(), attribute, numbers, "")
        return y

    def _arguments(self) -> tuple[Any, ...]:
        return self.weight, self.bias, self.padding, self.stride, self.dilation, self.groups

    def _served(self, x: Tensor) -> bool:
        """Whether the fused operators can take this input."""
        return (
            FUSION
            and x.device.type == self.weight.device.type == "cpu"
            and x.dtype == self.weight.dtype
            and (x.dtype == torch.float32 or (x.dtype == torch.bfloat16 and FUSION_BFLOAT16))
            and self.padding_mode == "zeros"
            and x.numel() > 0
            and not torch.is_autocast_enabled("cpu")
        )


def conv_relu(x: Tensor, conv: nn.Conv2d) -> Tensor:
    """relu(conv(x)), in one pass in a network prepared for inference."""
    return conv.rectified(x) if isinstance(conv, FusedConv2d) else F.relu(conv(x))


def rectify(y: Tensor, add: Tensor | None = None, ceiling: float | None = None) -> Tensor:
    """min(relu(y + add), ceiling), in the memory of y where nothing is added."""
    if add is not None:
        y = y + add
    return F.relu(y, inplace=True) if ceiling is None else F.hardtanh(y, 0.0, ceiling, inplace=True)


OPERATORS: Any = torch.ops.mkldnn
FUSION = torch.backends.mkldnn.is_available() and hasattr(  # type: ignore[no-untyped-call]
    OPERATORS, "_convolution_pointwise"
)
FUSION_BFLOAT16 = FUSION and bool(OPERATORS._is_mkldnn_bf16_supported())

"""Folding a norm into its convolution changes nothing but rounding."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from amidst.models.config import BackboneConfig
from amidst.models.efficientnet_lite import efficientnet_lite0
from amidst.models.norms import ConvNorm, FrozenNorm, conv_norm, make_norm, prepare_for_inference
from amidst.models.resnet import resnet18, resnet50


def with_statistics(norm: FrozenNorm | nn.BatchNorm2d, seed: int) -> None:
    """Fill a norm with values such as training would leave."""
    g = torch.Generator().manual_seed(seed)
    for name, tensor in norm.state_dict().items():
        if tensor.is_floating_point():
            positive = name in ("weight", "running_var")
            tensor.copy_(torch.rand(tensor.shape, generator=g) + (0.5 if positive else -0.5))


@pytest.mark.parametrize(
    ("kernel", "stride", "groups", "bias"), [(1, 1, 1, False), (3, 2, 1, True), (5, 1, 8, False)]
)
def test_folded_convolution_is_convolution_then_batch_norm(
    kernel: int, stride: int, groups: int, bias: bool
) -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(8, 16, kernel, stride, kernel // 2, groups=groups, bias=bias).double()
    frozen, live = FrozenNorm(16, 1e-3).double(), nn.BatchNorm2d(16, eps=1e-3).double().eval()
    with_statistics(frozen, 1)
    live.load_state_dict(frozen.state_dict(), strict=False)
    x = torch.randn(2, 8, 9, 7, dtype=torch.float64)

    folded, plain = conv_norm(x, conv, frozen), live(conv(x))
    assert torch.allclose(folded, plain, atol=1e-12)
    assert torch.allclose(frozen(conv(x)), plain, atol=1e-12)
    upstream = torch.randn_like(plain)
    (got,) = torch.autograd.grad((folded * upstream).sum(), conv.weight)
    (expected,) = torch.autograd.grad((plain * upstream).sum(), conv.weight)
    assert torch.allclose(got, expected, atol=1e-11)


def test_frozen_norm_has_nothing_to_train_and_the_keys_of_batch_norm() -> None:
    frozen = FrozenNorm(4, 1e-5)
    assert not list(frozen.parameters())
    assert set(frozen.state_dict()) == set(nn.BatchNorm2d(4).state_dict()) - {"num_batches_tracked"}


@pytest.mark.parametrize("kind", ["frozen", "batch", "group"])
def test_conv_norm_module_keeps_shape(kind: str) -> None:
    block = ConvNorm(nn.Conv2d(3, 32, 3, padding=1, bias=False), make_norm(kind, 32, 1e-5))  # type: ignore[arg-type]
    assert block(torch.randn(2, 3, 5, 6)).shape == (2, 32, 5, 6)


@pytest.mark.parametrize("norm", ["frozen", "batch", "group"])
@pytest.mark.parametrize("build", [resnet18, resnet50, efficientnet_lite0])
def test_prepared_network_predicts_the_same(build: object, norm: str) -> None:
    torch.manual_seed(0)
    network = build(BackboneConfig(norm=norm, freeze_at=0)).eval()  # type: ignore[operator, arg-type]
    for module in network.modules():
        if isinstance(module, FrozenNorm | nn.BatchNorm2d):
            with_statistics(module, 2)
    x = torch.randn(1, 3, 33, 47)
    state = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    prepared = prepare_for_inference(network)
    with torch.inference_mode():
        for a, b in zip(network(x), prepared(x), strict=True):
            assert torch.allclose(a, b, rtol=1e-3, atol=1e-5 * float(a.abs().max()))
    assert not any(isinstance(m, FrozenNorm | nn.BatchNorm2d) for m in prepared.modules())
    assert not any(p.requires_grad for p in prepared.parameters())
    for name, tensor in network.state_dict().items():  # the original is as it was
        assert torch.equal(tensor, state[name])

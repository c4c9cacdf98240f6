"""Optimiser and its parameter groups (J.3)."""

from __future__ import annotations

import torch
from torch import nn

from amidst.training.config import OptimConfig

BACKBONE = "backbone."  # parameters below this name carry ImageNet weights and may learn more slowly


def parameter_groups(model: nn.Module, config: OptimConfig) -> list[dict[str, object]]:
    """Trainable parameters in up to four groups: {backbone, rest} x {decayed, not decayed}.

    Biases and norm parameters are vectors or scalars; they get no weight decay. Each group carries
    `factor`, its share of the learning rate.
    """
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            factor = config.backbone_lr_factor if name.startswith(BACKBONE) else 1.0
            decay = config.weight_decay if parameter.ndim > 1 else 0.0
            groups.setdefault((factor, decay), []).append(parameter)
    return [
        {"params": parameters, "factor": factor, "weight_decay": decay}
        for (factor, decay), parameters in groups.items()
    ]


def make_optimiser(model: nn.Module, config: OptimConfig) -> torch.optim.Optimizer:
    """SGD with momentum, or AdamW, in one fused kernel; the rate is set by `set_rate` before each update."""
    groups = parameter_groups(model, config)
    if config.kind == "sgd":
        # The fused kernel fails where only some weights of a group have had a gradient (torch 2.13).
        fused = not getattr(model, "partly_used", False)
        return torch.optim.SGD(groups, lr=config.lr, momentum=config.momentum, fused=fused)
    return torch.optim.AdamW(groups, lr=config.lr, betas=(config.momentum, 0.999), fused=True)


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Give every group `rate` times its factor."""
    for group in optimiser.param_groups:
        group["lr"] = rate * group["factor"]


def gradients(optimiser: torch.optim.Optimizer) -> list[torch.Tensor]:
    """Gradients of all parameters that have one."""
    return [
        parameter.grad
        for group in optimiser.param_groups
        for parameter in group["params"]
        if parameter.grad is not None
    ]


def clip(optimiser: torch.optim.Optimizer, limit: float | None) -> torch.Tensor:
    """Scale the gradients so that their joint L2 norm is at most `limit`; the norm before, a scalar."""
    found = gradients(optimiser)
    norm = torch.nn.utils.get_total_norm(found)
    if limit is not None and found:
        share = torch.clamp(limit / (norm + 1e-6), max=1.0)
        torch._foreach_mul_(found, share)
    return norm

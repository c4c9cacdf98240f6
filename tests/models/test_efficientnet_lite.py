"""EfficientNet-Lite0: padding, and the published weights recognise photographs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from amidst.models.config import (
    EFFICIENTNET_LITE_PIXELS,
    TORCHVISION_PIXELS,
    BackboneConfig,
    PixelConfig,
    RetinaNetConfig,
)
from amidst.models.efficientnet_lite import EfficientNetLite, efficientnet_lite0, pad_same, same_conv
from amidst.models.pretrained import efficientnet_lite0_file, efficientnet_name, load_backbone, read_pth

# COCO category -> ImageNet classes that mean the same
SAME = {
    "zebra": [340],
    "elephant": [101, 385, 386],
    "bear": [294, 295, 296, 297],
    "airplane": [404, 895, 908],
    "train": [466, 547, 565, 705, 820, 829],
    "bus": [654, 779, 874],
    "toilet": [861],
    "laptop": [620, 681],
    "pizza": [963],
    "teddy bear": [850],
    "cat": [281, 282, 283, 284, 285],
}


@pytest.mark.parametrize("size", [1, 2, 7, 8, 9, 31])
@pytest.mark.parametrize("kernel", [3, 5])
def test_strided_padding_puts_the_odd_row_last(size: int, kernel: int) -> None:
    conv = same_conv(1, 1, kernel, stride=2)
    x = torch.ones(1, 1, size, size)
    padded = pad_same(x, conv)
    total = max((-(-size // 2) - 1) * 2 + kernel - size, 0)
    rows = padded[0, 0].sum(1).tolist()
    assert rows[: total // 2] == [0.0] * (total // 2)
    assert rows[total // 2] == size
    assert len(rows) == size + total
    assert conv(padded).shape[-1] == -(-size // 2)


def test_number_of_parameters() -> None:
    network = efficientnet_lite0(BackboneConfig(name="efficientnet_lite0", norm="batch", freeze_at=0))
    head = 320 * 1280 + 2 * 1280 + 1280 * 1000 + 1000
    assert sum(p.numel() for p in network.parameters()) + head == 4_652_008
    assert network.out_channels == (24, 40, 112, 320)
    assert {m.eps for m in network.modules() if isinstance(m, nn.BatchNorm2d)} == {1e-3}


@pytest.fixture(scope="module")
def crops(shared_data: Path) -> list[tuple[np.ndarray, str]]:
    """224 x 224 views of large objects whose category ImageNet knows too, at most ten of each."""
    folder = shared_data / "coco_mini"
    found: list[tuple[np.ndarray, str]] = []
    for split in ("train2017", "val2017"):
        data = json.loads((folder / f"annotations/instances_{split}_mini.json").read_text())
        names = {c["id"]: c["name"] for c in data["categories"]}
        files = {i["id"]: i["file_name"] for i in data["images"]}
        for a in data["annotations"]:
            name = names[a["category_id"]]
            enough = sum(n == name for _, n in found) >= 10
            if a["iscrowd"] or name not in SAME or a["area"] < 128**2 or enough:
                continue
            image = Image.open(folder / "images" / split / files[a["image_id"]]).convert("RGB")
            x, y, w, h = a["bbox"]
            side = 0.6 * max(w, h)
            cx, cy = x + w / 2, y + h / 2
            box = (
                max(0, cx - side),
                max(0, cy - side),
                min(image.width, cx + side),
                min(image.height, cy + side),
            )
            found.append((np.asarray(image.resize((224, 224), Image.Resampling.BICUBIC, box)), name))
    return found


def log_probability(network: EfficientNetLite, crops: list[tuple[np.ndarray, str]], p: PixelConfig) -> Tensor:
    """Log-probability that the whole published classifier gives to the right classes of each crop."""
    state = {efficientnet_name(name): t for name, t in read_pth(efficientnet_lite0_file()).items()}
    pixels = torch.from_numpy(np.stack([crop for crop, _ in crops])).permute(0, 3, 1, 2).float()
    pixels = (pixels * p.scale - torch.tensor(p.mean)[:, None, None]) / torch.tensor(p.std)[:, None, None]
    with torch.inference_mode():
        x = torch.cat([network(part)[-1] for part in pixels.split(16)])
        x = F.conv2d(x, state["conv_head.weight"])
        norm = [state[f"head_bn.{name}"] for name in ("running_mean", "running_var", "weight", "bias")]
        x = F.relu6(F.batch_norm(x, *norm, eps=1e-3)).mean((2, 3))
        chances = F.linear(x, state["fc.weight"], state["fc.bias"]).softmax(1)
    right = [chances[i, SAME[name]].sum() for i, (_, name) in enumerate(crops)]
    return torch.stack(right).log()


def test_published_weights_recognise_photographs(crops: list[tuple[np.ndarray, str]]) -> None:
    config = RetinaNetConfig(
        backbone=BackboneConfig(name="efficientnet_lite0"), pixels=EFFICIENTNET_LITE_PIXELS
    )
    network = efficientnet_lite0(config.backbone).eval()
    load_backbone(network, config, "imagenet")
    ours = log_probability(network, crops, EFFICIENTNET_LITE_PIXELS)
    assert len(crops) > 50
    assert float((ours > np.log(0.5)).float().mean()) > 0.5
    zebras = [float(value) for value, (_, name) in zip(ours, crops, strict=True) if name == "zebra"]
    assert min(zebras) > np.log(0.8)
    # The other readings of the input and of the norms are worse.
    assert ours.mean() > log_probability(network, crops, TORCHVISION_PIXELS).mean() + 0.1
    other_eps = efficientnet_lite0(BackboneConfig(name="efficientnet_lite0", norm_eps=1e-5)).eval()
    other_eps.load_state_dict(network.state_dict())
    assert ours.mean() > log_probability(other_eps, crops, EFFICIENTNET_LITE_PIXELS).mean()

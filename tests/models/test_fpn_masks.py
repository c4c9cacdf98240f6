from __future__ import annotations

import copy
import itertools

import msgspec
import pytest
import torch
from torch import Tensor

from amidst.errors import ConfigError
from amidst.models.build import build_model, size_divisor
from amidst.models.config import BackboneConfig, FPNConfig, FPNMasksConfig
from amidst.models.config_fpn_masks import CellConfig, FPNMasksDecodeConfig
from amidst.models.fpn_masks import FPNMasks
from amidst.models.fpn_masks_geometry import cell_squares
from amidst.models.norms import prepare_for_inference
from amidst.models.structures import Target
from amidst.ops.images import ImageBatch
from amidst.ops.mask_targets import grid_means

CONFIG = FPNMasksConfig(
    backbone=BackboneConfig(name="tiny", norm="group", freeze_at=0),
    fpn=FPNConfig(channels=16, min_level=2, max_level=6, extra_from="pool"),
    hidden=32,
    mask_side=7,
)


@pytest.fixture
def model() -> FPNMasks:
    torch.manual_seed(0)
    network = build_model(CONFIG)
    assert isinstance(network, FPNMasks)
    return network.eval()


def batch(*sizes_hw: tuple[int, int]) -> ImageBatch:
    height = max((-(-h // 64) * 64 for h, _ in sizes_hw), default=0)
    width = max((-(-w // 64) * 64 for _, w in sizes_hw), default=0)
    torch.manual_seed(1)
    return ImageBatch(torch.randn(len(sizes_hw), 3, height, width), sizes_hw)


def square_target(*boxes: tuple[int, int, int, int], size_hw: tuple[int, int]) -> Target:
    masks = torch.zeros(len(boxes), *size_hw, dtype=torch.bool)
    for mask, (x0, y0, x1, y1) in zip(masks, boxes, strict=True):
        mask[y0:y1, x0:x1] = True
    corners = torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)
    return Target(corners, torch.zeros(len(boxes), dtype=torch.int64), masks)


def test_no_images(model: FPNMasks) -> None:
    empty = ImageBatch(torch.zeros(0, 3, 0, 0), ())
    assert model(empty) == []
    losses = model(empty, [])
    torch.stack(list(losses.values())).sum().backward()
    assert {name: value.item() for name, value in losses.items()} == {"score_loss": 0.0, "mask_loss": 0.0}


@pytest.mark.parametrize("images", [1, 2])
def test_images_without_objects_teach_the_score_alone(model: FPNMasks, images: int) -> None:
    targets = [square_target(size_hw=(64, 64)) for _ in range(images)]
    losses = model(batch(*[(64, 64)] * images), targets)
    assert losses["score_loss"].item() == pytest.approx(0.69, abs=0.1)  # -ln(1/2): it knows nothing
    assert losses["mask_loss"].item() == 0.0
    sum(losses.values()).backward()
    assert all(p.grad is None or bool(p.grad.isfinite().all()) for p in model.parameters())


def test_losses_reach_every_weight() -> None:
    torch.manual_seed(0)
    every_cell = CellConfig(sampled=10_000)
    model = FPNMasks(msgspec.structs.replace(CONFIG, cells=every_cell))
    target = square_target((10, 10, 42, 42), (50, 20, 100, 60), size_hw=(96, 120))
    losses = model(batch((96, 120)), [target])
    assert losses["mask_loss"].item() == pytest.approx(6.9, abs=1.0)  # ten times -ln(1/2)
    sum(losses.values()).backward()
    without = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert without == []


def test_an_odd_size_and_the_order_of_proposals(model: FPNMasks) -> None:
    (found,) = model(batch((61, 97)))
    assert len(found) > 0
    assert found.logits.shape == (len(found), 7, 7)
    assert bool((found.scores[1:] <= found.scores[:-1]).all())
    centres = (found.windows_xyxy[:, :2] + found.windows_xyxy[:, 2:]) / 2
    # Coarse cells reach over the border of the image by less than a stride of 64.
    assert bool((centres < torch.tensor([97 + 32, 61 + 32])).all())


def test_the_number_of_proposals_is_a_limit() -> None:
    torch.manual_seed(0)
    decode = FPNMasksDecodeConfig(num_proposals=5)
    model = FPNMasks(FPNMasksConfig(backbone=CONFIG.backbone, fpn=CONFIG.fpn, hidden=8, decode=decode))
    (found,) = model(batch((64, 64)))
    assert len(found) == 5


def test_proposals_are_the_dense_scores_and_masks(model: FPNMasks) -> None:
    """Every proposal repeats what the window network says at its cell."""
    images = batch((64, 64))
    (found,) = model(images)
    pyramid = model.pyramid(images.pixels)
    slots = model.slots(pyramid)
    scores: list[Tensor] = []
    squares: list[Tensor] = []
    masks: list[Tensor] = []
    for slot in slots:
        network = model.networks[slot.window]
        hidden, logits = network.dense(pyramid[slot.level])
        scores.append(logits[0].flatten().sigmoid())
        masks.append(network.masks(hidden[0].flatten(0, 1)))
        squares.append(cell_squares(torch.arange(slot.begin, slot.end), slots))
    all_scores, all_masks, all_squares = torch.cat(scores), torch.cat(masks), torch.cat(squares)
    order = torch.argsort(all_scores, descending=True, stable=True)[: len(found)]
    torch.testing.assert_close(found.scores, all_scores[order])
    torch.testing.assert_close(found.logits, all_masks[order], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found.windows_xyxy, all_squares[order])


def test_batched_images_are_judged_as_alone() -> None:
    torch.manual_seed(0)
    backbone = BackboneConfig(name="tiny", norm="frozen", freeze_at=0)
    model = FPNMasks(FPNMasksConfig(backbone=backbone, fpn=CONFIG.fpn, hidden=16, mask_side=4)).eval()
    images = batch((64, 64), (64, 64))
    together = model(images)
    for index, found in enumerate(together):
        (alone,) = model(ImageBatch(images.pixels[index : index + 1], ((64, 64),)))
        torch.testing.assert_close(found.scores, alone.scores, rtol=1e-4, atol=1e-5)


def test_prepared_for_inference_it_says_the_same(model: FPNMasks) -> None:
    images = batch((64, 96))
    (before,) = model(images)
    (after,) = prepare_for_inference(copy.deepcopy(model))(images)
    torch.testing.assert_close(after.scores, before.scores, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("windows", [(), (3,), (7, 5), (5, 5)])
def test_other_windows_are_refused(windows: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError, match=r"model\.windows"):
        FPNMasks(FPNMasksConfig(backbone=CONFIG.backbone, windows=windows))


@pytest.mark.parametrize("windows", [(5,), (7,)])
def test_one_window_network_alone(windows: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    config = FPNMasksConfig(backbone=CONFIG.backbone, fpn=CONFIG.fpn, hidden=8, mask_side=4, windows=windows)
    model = FPNMasks(config)
    assert len(model.networks) == 1
    target = square_target((10, 10, 42, 42), size_hw=(64, 64))
    assert all(value.isfinite() for value in model(batch((64, 64)), [target]).values())


def test_a_few_steps_learn_a_square() -> None:
    torch.manual_seed(0)
    model = FPNMasks(CONFIG)
    images = batch((64, 64))
    images.pixels[:, :, 16:48, 16:48] += 3
    target = square_target((16, 16, 48, 48), size_hw=(64, 64))
    optimiser = torch.optim.Adam(model.parameters(), 3e-3)
    for _ in range(60):
        losses = model(images, [target])
        optimiser.zero_grad()
        sum(losses.values()).backward()
        optimiser.step()
    (found,) = model(images)
    best = found.windows_xyxy[0]
    assert best.tolist() == pytest.approx([32 - 20, 32 - 20, 32 + 20, 32 + 20], abs=4)
    assert target.masks is not None
    wanted = grid_means(target.masks, torch.tensor([0]), best[None], 7)[0] > 0.5
    assert float(((found.logits[0] > 0) == wanted).float().mean()) > 0.9


def test_the_divisor_is_the_coarsest_stride() -> None:
    assert size_divisor(CONFIG) == 64


def test_the_thesis_network_has_its_layers() -> None:
    with torch.device("meta"):
        model = build_model(FPNMasksConfig())
    shapes = {name: tuple(p.shape) for name, p in model.named_parameters() if name.startswith("networks")}
    for index, side in enumerate((5, 7)):
        assert shapes[f"networks.{index}.conv.weight"] == (512, 128, side, side)
        assert shapes[f"networks.{index}.score.weight"] == (1, 512)
        assert shapes[f"networks.{index}.mask.weight"] == (196, 512)
    assert len(list(itertools.chain(shapes))) == 12

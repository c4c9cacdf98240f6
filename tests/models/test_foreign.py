"""Checkpoints of other families, converted, against plain forwards of those families (foreign_plain)."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from amidst.coco.categories import released_categories
from amidst.errors import WeightsError
from amidst.models.build import build_model
from amidst.models.config import RetinaNetConfig
from amidst.models.faster_rcnn import FasterRCNN
from amidst.models.foreign import COCO_IDS, Conversion, choose_classes, convert, places, recognise
from amidst.models.foreign_files import Checkpoint
from amidst.models.foreign_layout import Layout
from amidst.models.norms import prepare_for_inference
from amidst.models.retinanet import RetinaNet
from amidst.ops.images import ImageBatch

SIZE_HW = (90, 120)
CLASSES = 5


def load(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look themselves up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def families() -> Iterator[Any]:
    module = load("foreign_families")
    with torch.no_grad():
        yield module.Families(load("foreign_plain"))
    del sys.modules["foreign_families"], sys.modules["foreign_plain"]


@pytest.fixture(scope="module")
def pixels() -> Tensor:
    """A normalised picture of 90 x 120 in its padding."""
    g = torch.Generator().manual_seed(0)
    found = torch.zeros(1, 3, 96, 128)
    coarse = torch.randn(1, 3, 9, 12, generator=g)
    found[..., :90, :120] = torch.nn.functional.interpolate(coarse, size=SIZE_HW, mode="bilinear")
    return found


def converted(state: dict[str, Tensor], ids: Sequence[int], **facts: Any) -> tuple[Any, Conversion]:
    """The network that a state becomes, every tensor used and every parameter filled."""
    layout = recognise(Checkpoint(state, facts), "state")
    conversion = convert(layout, state, choose_classes(layout, len(ids), ids))
    assert (conversion.unknown, conversion.missing, conversion.misshapen) == ((), (), ())
    with torch.device("meta"):
        model = build_model(conversion.config)
    model.load_state_dict(conversion.state, assign=True)
    return model.eval(), conversion


def check_dense(ours: Any, theirs: Any, ids: Sequence[int] | None, by_aspect: bool, sizes: int) -> None:
    """Anchors, logits and codes of every level, anchors brought into our order by a loop."""
    for number, anchors in enumerate(theirs.anchors):
        order = [
            cell * 3 * sizes + (aspect * sizes + size if by_aspect else size * 3 + aspect)
            for cell in range(len(anchors) // (3 * sizes))
            for size in range(sizes)
            for aspect in range(3)
        ]
        torch.testing.assert_close(ours.anchors_xyxy[number], anchors[order], atol=1e-3, rtol=1e-6)
        logits = theirs.logits[number][order]
        logits = logits if ids is None else logits[:, list(ids)]
        torch.testing.assert_close(ours.class_logits[number][0], logits, atol=2e-3, rtol=1e-3)
        torch.testing.assert_close(
            ours.box_codes[number][0], theirs.codes[number][order], atol=2e-3, rtol=1e-3
        )


def check_detections(model: torch.nn.Module, pixels: Tensor, theirs: Any, ids: Sequence[int]) -> None:
    """The same boxes, scores and classes in the same order, as loaded and as prepared for inference; scores
    that are equal to three decimals may change places, which another processor's arithmetic does.
    """
    assert len(theirs.boxes) >= 20
    for network in (model, prepare_for_inference(model)):
        (found,) = network(ImageBatch(pixels, (SIZE_HW,)))
        torch.testing.assert_close(found.scores, theirs.scores, atol=1e-3, rtol=0)
        same = torch.tensor(list(ids))[found.class_index][:, None] == theirs.labels
        same &= (found.scores[:, None] - theirs.scores).abs() <= 1e-3
        same &= (found.boxes_xyxy[:, None] - theirs.boxes).abs().amax(dim=2) <= 0.05
        assert bool(same.any(dim=0).all())
        assert bool(same.any(dim=1).all())


@pytest.mark.parametrize("version", [1, 2])
def test_torchvision_retinanet(families: Any, pixels: Tensor, version: int) -> None:
    state = families.torchvision_retinanet(version, pixels)
    theirs = families.torchvision_retinanet_forward(state, pixels, SIZE_HW, version)
    ids = load("foreign_families").COCO_IDS
    model, conversion = converted(state, ids)
    assert isinstance(model, RetinaNet)
    assert conversion.config.backbone.norm_eps == (0.0 if version == 1 else 1e-5)
    check_dense(model.predict(pixels), theirs, ids, by_aspect=True, sizes=3)
    check_detections(model, pixels, theirs, ids)


@pytest.mark.parametrize("version", [1, 2])
def test_torchvision_faster_rcnn(families: Any, pixels: Tensor, version: int) -> None:
    state = families.torchvision_faster(version, pixels)
    theirs = families.torchvision_faster_forward(state, pixels, SIZE_HW, version)
    ids = load("foreign_families").COCO_IDS
    model, conversion = converted(state, ids)
    assert isinstance(model, FasterRCNN)
    assert conversion.config.roi.head.silent == 10  # share the softmax, as there
    check_dense(model.rpn_head(model.maps(pixels), (96, 128)), theirs, None, by_aspect=True, sizes=1)
    check_detections(model, pixels, theirs, ids)


@pytest.mark.parametrize("family", ["detectron2", "mmdetection"])
def test_retinanet_of_exact_anchors(families: Any, pixels: Tensor, family: str) -> None:
    state = families.exact_retinanet(family, CLASSES, pixels)
    theirs = families.exact_retinanet_forward(state, family, CLASSES, pixels, SIZE_HW)
    model, _ = converted(state, range(1, CLASSES + 1))
    check_dense(model.predict(pixels), theirs, range(CLASSES), by_aspect=family == "mmdetection", sizes=3)
    check_detections(model, pixels, theirs, range(CLASSES))


@pytest.mark.parametrize("family", ["detectron2", "mmdetection"])
def test_faster_rcnn_of_exact_anchors(families: Any, pixels: Tensor, family: str) -> None:
    state = families.exact_faster(family, CLASSES, pixels)
    theirs = families.exact_faster_forward(state, family, CLASSES, pixels, SIZE_HW)
    model, _ = converted(state, range(1, CLASSES + 1))
    check_dense(model.rpn_head(model.maps(pixels), (96, 128)), theirs, None, by_aspect=False, sizes=1)
    check_detections(model, pixels, theirs, range(CLASSES))


def older(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """A state under the names of torchvision before 0.13, as in its published files."""
    found = {}
    for name, tensor in state.items():
        name = re.sub(r"(inner_blocks|layer_blocks)\.(\d)\.0\.", r"\1.\2.", name)
        name = re.sub(r"_head\.conv\.(\d)\.0\.", lambda m: f"_head.conv.{2 * int(m[1])}.", name)
        found[name.replace("rpn.head.conv.0.0.", "rpn.head.conv.")] = tensor
    return found


@pytest.mark.parametrize("kind", ["retinanet", "faster"])
def test_older_names_of_torchvision_are_the_same(families: Any, pixels: Tensor, kind: str) -> None:
    state = getattr(families, f"torchvision_{kind}")(1, pixels)
    renamed = older(state)
    assert renamed.keys() != state.keys()
    ids = load("foreign_families").COCO_IDS
    _, one = converted(state, ids)
    _, other = converted(renamed, ids)
    assert one.config == other.config
    assert all(torch.equal(tensor, other.state[name]) for name, tensor in one.state.items())


@pytest.mark.parametrize("family", ["torchvision", "detectron2", "mmdetection"])
def test_one_hot_biases_come_out_at_the_anchor_and_class_they_were_for(
    families: Any, pixels: Tensor, family: str
) -> None:
    """The last biases are 0 but for one anchor and class: there, and nowhere else, ours are not 0 either."""
    small = pixels[..., :64, :64]
    theirs = load("foreign_plain")
    if family == "torchvision":
        state = families.torchvision_retinanet(1, pixels)
        ids, last = load("foreign_families").COCO_IDS, ("head.classification_head.cls_logits", "bbox_reg")
        names = (last[0], "head.regression_head.bbox_reg")
        cell = theirs.cell_by_aspect([32, 40, 50], rounded=True)
    else:
        state, ids = families.exact_retinanet(family, CLASSES, pixels), list(range(CLASSES))
        exact = load("foreign_families").EXACT[family]
        names = (exact["last_cls"], exact["last_reg"])
        sizes = [32 * 2 ** (k / 3) for k in range(3)]
        by_size = family == "detectron2"
        cell = theirs.cell_by_size(sizes) if by_size else theirs.cell_by_aspect(sizes, rounded=False)
    outputs = len(state[f"{names[0]}.bias"]) // 9
    for anchor, label in ((0, ids[0]), (1, ids[1]), (3, ids[4]), (8, ids[-1]), (5, ids[2])):
        for name in names:
            state[f"{name}.weight"].zero_()
            state[f"{name}.bias"].zero_()
        state[f"{names[0]}.bias"] -= 30
        state[f"{names[0]}.bias"][anchor * outputs + label] = 3
        state[f"{names[1]}.bias"][anchor * 4 : anchor * 4 + 2] = torch.tensor([0.25, 0.125])
        wanted = ids if family == "torchvision" else range(1, CLASSES + 1)
        model, _ = converted(state, wanted)
        ours = model.predict(small)
        best = ours.class_logits[0][0].view(8, 8, 9, -1)[2, 3].flatten().argmax().item()  # a cell of P3
        place, found = divmod(int(best), len(ids))
        x1, y1, x2, y2 = cell[anchor]
        expected = torch.tensor([x1 + 24, y1 + 16, x2 + 24, y2 + 16], dtype=torch.float32)
        torch.testing.assert_close(
            ours.anchors_xyxy[0].view(8, 8, 9, 4)[2, 3, place], expected, atol=1e-3, rtol=0
        )
        assert ids[found] == label
        codes = ours.box_codes[0][0].view(8, 8, 9, 4)[2, 3]
        assert codes[place].tolist() == [0.25, 0.125, 0, 0]
        assert float(codes.abs().sum()) == 0.375


def test_a_tensor_that_is_missing_renamed_or_of_another_shape_is_named(families: Any, pixels: Tensor) -> None:
    state = families.exact_retinanet("mmdetection", CLASSES, pixels)
    state["neck.fpn_convs.4.convolution.weight"] = state.pop("neck.fpn_convs.4.conv.weight")
    state["backbone.conv1.weight"] = state["backbone.conv1.weight"][:, :1]
    state["backbone.layer1.0.bn1.running_mean_2"] = torch.zeros(3)
    layout = recognise(Checkpoint(state), "state")
    found = convert(layout, state, choose_classes(layout, CLASSES, range(CLASSES)))
    assert not found.whole
    assert found.missing == ("fpn.extra.7.weight",)
    assert found.unknown == (
        "neck.fpn_convs.4.convolution.weight",
        "backbone.layer1.0.bn1.running_mean_2 (ours has no such part)",
    )
    assert found.misshapen == ("backbone.conv1.weight: (64, 1, 7, 7), expected (64, 3, 7, 7)",)
    reasons = {place.name: place.reason for place in places(layout, state) if place.ours is None}
    assert reasons["backbone.bn1.num_batches_tracked"].startswith("a counter")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_tensors_that_are_no_numbers_are_named(families: Any, pixels: Tensor, value: float) -> None:
    state = families.exact_retinanet("mmdetection", CLASSES, pixels)
    state["backbone.layer1.0.conv1.weight"].flatten()[7] = value
    layout = recognise(Checkpoint(state), "state")
    found = convert(layout, state, choose_classes(layout, CLASSES, range(CLASSES)))
    assert found.not_finite == ("backbone.layer1.0.conv1.weight",)
    assert not found.whole


def test_files_of_no_known_family_are_refused() -> None:
    with pytest.raises(WeightsError, match="2 tensors of no layout known here"):
        recognise(Checkpoint({"a.weight": torch.zeros(1), "b": torch.zeros(1)}), "file.pth")


def test_other_depths_and_pixels_are_refused(families: Any, pixels: Tensor) -> None:
    state = families.exact_retinanet("detectron2", CLASSES, pixels)
    with pytest.raises(WeightsError, match=r"pixel_std is .*trained on other pixels"):
        recognise(Checkpoint(state | {"pixel_std": torch.tensor([57.4, 57.1, 58.4]).view(3, 1, 1)}), "f")
    fine = state | {"pixel_mean": torch.tensor([103.53, 116.28, 123.675]).view(3, 1, 1)}
    layout = recognise(Checkpoint(fine), "f")
    assert convert(layout, fine, choose_classes(layout, CLASSES, range(CLASSES))).whole
    shallow = {name: tensor for name, tensor in state.items() if ".res3.3." not in name}
    with pytest.raises(WeightsError, match=r"\(3, 3, 6, 3\) blocks of 3 convolutions"):
        recognise(Checkpoint(shallow), "f")


def test_a_caffe_configuration_inside_the_file_changes_pixels_and_strides(
    families: Any, pixels: Tensor
) -> None:
    state = families.exact_faster("mmdetection", CLASSES, pixels)
    _, conversion = converted(state, range(CLASSES), meta={"cfg": "backbone=dict(style = 'caffe')"})
    assert conversion.config.pixels.order == "bgr"
    assert conversion.config.backbone.stride_in_1x1
    _, conversion = converted(state, range(CLASSES), meta={"cfg": "backbone=dict(style='pytorch')"})
    assert conversion.config.pixels.order == "rgb"


@pytest.mark.parametrize(
    ("family", "outputs", "background", "number", "expected"),
    [
        ("torchvision", 91, "none", 80, (1, 90, 0, None)),  # COCO's ids
        ("torchvision", 91, "first", 80, (1, 90, 10, 0)),
        ("torchvision", 91, "first", 90, (1, 90, 0, 0)),  # 90 classes of somebody's own
        ("torchvision", 3, "none", 2, (1, 2, 0, None)),  # labels from 1
        ("torchvision", 3, "none", 3, (0, 2, 0, None)),
        ("torchvision", 3, "first", 2, (1, 2, 0, 0)),
        ("detectron2", 3, "none", 3, (0, 2, 0, None)),
        ("detectron2", 3, "last", 2, (0, 1, 0, 2)),
        ("mmdetection", 3, "last", 3, None),
        ("detectron2", 3, "none", 2, None),
        ("torchvision", 3, "first", 3, None),
        ("torchvision", 91, "none", 3, None),
    ],
)
def test_choice_of_classes(
    family: str, outputs: int, background: Any, number: int, expected: tuple[Any, ...] | None
) -> None:
    module = load("foreign_families")
    ids = module.COCO_IDS if number == 80 else list(range(1, number + 1))
    layout = Layout(family, "any", RetinaNetConfig(), {}, outputs, background)
    if expected is None:
        with pytest.raises(WeightsError, match=f"{number} are named; expected as many"):
            choose_classes(layout, number, ids)
        return
    choice = choose_classes(layout, number, ids)
    found = choice.rows[0], choice.rows[-1], len(choice.silent), choice.background
    assert found == expected
    assert len(choice.rows) == number


@pytest.mark.parametrize("background", ["none", "first"])
@pytest.mark.parametrize("ids", [range(1, 81), range(11, 91), [*range(1, 12), *range(13, 82)]])
def test_eighty_classes_that_are_not_cocos_are_no_rows_of_its_ids(
    background: Any, ids: Sequence[int]
) -> None:
    assert tuple(load("foreign_families").COCO_IDS) == COCO_IDS
    assert tuple(category.id for category in released_categories()) == COCO_IDS
    layout = Layout("torchvision", "any", RetinaNetConfig(), {}, 91, background)
    with pytest.raises(WeightsError, match=r"80 are named; expected as many, or COCO's 80 with COCO's names"):
        choose_classes(layout, 80, ids)

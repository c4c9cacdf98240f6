"""States of three families from a seed, and what each family makes of them: see foreign_plain.

make(...)      a state, last layers rescaled on `pixels`
forward(...)   raw tensors in that family's order, and its detections
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

OCTAVES = [2 ** (k / 3) for k in range(3)]
COCO_IDS = [*range(1, 12), *range(13, 26), 27, 28, *range(31, 45), *range(46, 66), 67, 70, *range(72, 83)]
COCO_IDS += list(range(84, 91))
ONES, TENS = (1.0, 1.0, 1.0, 1.0), (10.0, 10.0, 5.0, 5.0)


@dataclass
class Outputs:
    """`anchors`, `logits` and `codes` of each level in the family's order; the detections."""

    anchors: list[Tensor]
    logits: list[Tensor]
    codes: list[Tensor]
    boxes: Tensor = field(default_factory=lambda: torch.zeros(0, 4))
    scores: Tensor = field(default_factory=lambda: torch.zeros(0))
    labels: Tensor = field(default_factory=lambda: torch.zeros(0, dtype=torch.int64))


class Families:
    """The families over the plain arithmetic `p` (the module foreign_plain)."""

    def __init__(self, p: Any) -> None:
        self.p = p

    # torchvision -----------------------------------------------------------------------------------------

    def torchvision_retinanet(self, version: int, pixels: Tensor) -> dict[str, Tensor]:
        p, m = self.p, self.p.Maker(version, counters=version == 2)
        m.resnet(p.torch_names("backbone.body."))
        for place, channels in enumerate((512, 1024, 2048)):
            m.conv(f"backbone.fpn.inner_blocks.{place}.0", channels, p.D, 1)
            m.conv(f"backbone.fpn.layer_blocks.{place}.0", p.D, p.D, 3)
        m.conv("backbone.fpn.extra_blocks.p6", p.D if version == 1 else 2048, p.D, 3)
        m.conv("backbone.fpn.extra_blocks.p7", p.D, p.D, 3)
        for head, last, outputs in (("classification", "cls_logits", 91), ("regression", "bbox_reg", 4)):
            for index in range(4):
                place = f"head.{head}_head.conv.{index}"
                if version == 1:
                    m.conv(f"{place}.0", p.D, p.D, 3)
                else:
                    m.conv(f"{place}.0", p.D, p.D, 3, bias=False)
                    m.affine(f"{place}.1", p.D)
            m.conv(f"head.{head}_head.{last}", p.D, 9 * outputs, 3)
        state: dict[str, Tensor] = m.state
        raw = self._torchvision_retinanet(state, pixels, version)
        p.spread(state, "head.classification_head.cls_logits", torch.cat(raw.logits), -4.0, 1.0)
        p.spread(state, "head.regression_head.bbox_reg", torch.cat(raw.codes), 0.0, 0.4)
        unused = [c for c in range(91) if c not in COCO_IDS]  # as after training
        state["head.classification_head.cls_logits.bias"].view(9, 91)[:, unused] = -30
        return state

    def _torchvision_retinanet(self, state: dict[str, Tensor], pixels: Tensor, version: int) -> Outputs:
        p = self.p
        features = p.resnet(
            state,
            p.torch_names("backbone.body."),
            pixels,
            eps=0.0 if version == 1 else 1e-5,
            stride_in_1x1=False,
        )
        levels = p.pyramid(
            features[1:],
            lambda i, x: p.conv(state, f"backbone.fpn.inner_blocks.{i}.0", x),
            lambda i, x: p.conv(state, f"backbone.fpn.layer_blocks.{i}.0", x),
        )
        p6 = p.conv(state, "backbone.fpn.extra_blocks.p6", levels[-1] if version == 1 else features[-1], 2)
        p7 = p.conv(state, "backbone.fpn.extra_blocks.p7", F.relu(p6), 2)
        raw = Outputs([], [], [])
        for number, x in enumerate([*levels, p6, p7]):
            base = 32 * 2**number
            cell = p.cell_by_aspect([int(base * octave) for octave in OCTAVES], rounded=True)
            stride = pixels.shape[2] // x.shape[2], pixels.shape[3] // x.shape[3]
            raw.anchors.append(p.grid(cell, x.shape[2:], stride))
            for head, last, outputs, into in (
                ("classification", "cls_logits", 91, raw.logits),
                ("regression", "bbox_reg", 4, raw.codes),
            ):
                y = x
                for index in range(4):
                    place = f"head.{head}_head.conv.{index}"
                    y = p.conv(state, f"{place}.0", y)
                    if version == 2:
                        affine = state[f"{place}.1.weight"], state[f"{place}.1.bias"]
                        y = F.group_norm(y, 32, *affine)
                    y = F.relu(y)
                into.append(p.rows(p.conv(state, f"head.{head}_head.{last}", y), outputs))
        return raw

    def torchvision_retinanet_forward(
        self, state: dict[str, Tensor], pixels: Tensor, size_hw: Sequence[int], version: int
    ) -> Outputs:
        raw = self._torchvision_retinanet(state, pixels, version)
        self._dense_candidates(raw)
        raw.boxes = self.p.clip(raw.boxes, size_hw)  # before suppression; boxes without area stay
        return self._keep(raw, self.p.suppress(raw.boxes, raw.scores, raw.labels, 0.5)[:300])

    def _dense_candidates(self, raw: Outputs, both_sides: bool = False) -> None:
        """Decoded candidates of all levels, not clipped."""
        boxes, scores, labels = [], [], []
        for anchors, logits, codes in zip(raw.anchors, raw.logits, raw.codes, strict=True):
            row, label = self.p.best(logits.sigmoid(), 0.05, 1000)
            boxes.append(self.p.decode(codes[row], anchors[row], ONES, both_sides=both_sides))
            scores.append(logits.sigmoid()[row, label])
            labels.append(label)
        raw.boxes, raw.scores, raw.labels = torch.cat(boxes), torch.cat(scores), torch.cat(labels)

    @staticmethod
    def _keep(raw: Outputs, kept: Tensor) -> Outputs:
        raw.boxes, raw.scores, raw.labels = raw.boxes[kept], raw.scores[kept], raw.labels[kept]
        return raw

    def torchvision_faster(self, version: int, pixels: Tensor) -> dict[str, Tensor]:
        p, m = self.p, self.p.Maker(10 + version, counters=version == 2)
        m.resnet(p.torch_names("backbone.body."))
        for place, channels in enumerate((256, 512, 1024, 2048)):
            for part, inputs, kernel in (("inner_blocks", channels, 1), ("layer_blocks", p.D, 3)):
                m.conv(f"backbone.fpn.{part}.{place}.0", inputs, p.D, kernel, bias=version == 1)
                if version == 2:
                    m.norm(f"backbone.fpn.{part}.{place}.1", p.D)
        for index in range(version):
            m.conv(f"rpn.head.conv.{index}.0", p.D, p.D, 3)
        m.conv("rpn.head.cls_logits", p.D, 3, 1)
        m.conv("rpn.head.bbox_pred", p.D, 12, 1)
        if version == 1:
            m.linear("roi_heads.box_head.fc6", p.D * 49, p.FC)
            m.linear("roi_heads.box_head.fc7", p.FC, p.FC)
        else:
            for index in range(4):
                m.conv(f"roi_heads.box_head.{index}.0", p.D, p.D, 3, bias=False)
                m.norm(f"roi_heads.box_head.{index}.1", p.D)
            m.linear("roi_heads.box_head.5", p.D * 49, p.FC)
        m.linear("roi_heads.box_predictor.cls_score", p.FC, 91)
        m.linear("roi_heads.box_predictor.bbox_pred", p.FC, 91 * 4)
        return self._spread_two_stage(
            m.state,
            pixels,
            lambda state: self._torchvision_maps(state, pixels, version),
            lambda state, maps, boxes: self._torchvision_regions(state, maps, boxes, version),
            ("rpn.head.cls_logits", "rpn.head.bbox_pred"),
            ("roi_heads.box_predictor.cls_score", "roi_heads.box_predictor.bbox_pred"),
        )

    def _spread_two_stage(
        self, state: dict[str, Tensor], pixels: Tensor, maps: Any, regions: Any, rpn: Any, roi: Any
    ) -> dict[str, Tensor]:
        p = self.p
        _, levels, raw = maps(state)
        p.spread(state, rpn[0], torch.cat(raw.logits), -2.0, 1.5)
        p.spread(state, rpn[1], torch.cat(raw.codes), 0.0, 0.3)
        some = torch.tensor([[4.0, 4, 60, 50], [30.0, 20, 110, 90], [8.0, 40, 40, 60]])
        logits, codes = regions(state, levels, some)
        p.spread(state, roi[0], logits, 0.0, 1.5)
        p.spread(state, roi[1], codes, 0.0, 1.0)
        return state

    def _torchvision_maps(self, state: dict[str, Tensor], pixels: Tensor, version: int) -> Any:
        p = self.p
        eps = 0.0 if version == 1 else 1e-5

        def layer(part: str, place: int, x: Tensor) -> Tensor:
            x = p.conv(state, f"backbone.fpn.{part}.{place}.0", x)
            return p.norm(state, f"backbone.fpn.{part}.{place}.1", x, 1e-5) if version == 2 else x

        names = p.torch_names("backbone.body.")
        features = p.resnet(state, names, pixels, eps=eps, stride_in_1x1=False)
        levels = p.pyramid(
            features, lambda i, x: layer("inner_blocks", i, x), lambda i, x: layer("layer_blocks", i, x)
        )
        levels.append(levels[-1][:, :, ::2, ::2])
        raw = Outputs([], [], [])
        for number, x in enumerate(levels):
            cell = p.cell_by_aspect([32 * 2**number], rounded=True)
            stride = pixels.shape[2] // x.shape[2], pixels.shape[3] // x.shape[3]
            raw.anchors.append(p.grid(cell, x.shape[2:], stride))
            y = x
            for index in range(version):
                y = F.relu(p.conv(state, f"rpn.head.conv.{index}.0", y))
            raw.logits.append(p.rows(p.conv(state, "rpn.head.cls_logits", y), 1))
            raw.codes.append(p.rows(p.conv(state, "rpn.head.bbox_pred", y), 4))
        return features, levels, raw

    def _torchvision_regions(
        self, state: dict[str, Tensor], levels: Sequence[Tensor], boxes: Tensor, version: int
    ) -> tuple[Tensor, Tensor]:
        p = self.p
        x = self._pool(levels, boxes, sampling=2, aligned=False)
        if version == 1:
            x = x.flatten(1)
            for name in ("fc6", "fc7"):
                x = F.relu(self._linear(state, f"roi_heads.box_head.{name}", x))
        else:
            for index in range(4):
                x = p.conv(state, f"roi_heads.box_head.{index}.0", x)
                x = F.relu(p.norm(state, f"roi_heads.box_head.{index}.1", x, 1e-5))
            x = F.relu(self._linear(state, "roi_heads.box_head.5", x.flatten(1)))
        logits = self._linear(state, "roi_heads.box_predictor.cls_score", x)
        return logits, self._linear(state, "roi_heads.box_predictor.bbox_pred", x)

    def _pool(self, levels: Sequence[Tensor], boxes: Tensor, *, sampling: int, aligned: bool) -> Tensor:
        found = []
        for box in boxes.tolist():
            number = self.p.level(box)
            stride = 2**number
            found.append(
                self.p.roi_align(levels[number - 2], box, stride, sampling=sampling, aligned=aligned)
            )
        return torch.stack(found)

    @staticmethod
    def _linear(state: dict[str, Tensor], name: str, x: Tensor) -> Tensor:
        return x @ state[f"{name}.weight"].T + state[f"{name}.bias"]

    def _proposals(
        self, raw: Outputs, size_hw: Sequence[int], *, least: float, strictly: bool, both_sides: bool = False
    ) -> Tensor:
        p = self.p
        boxes, logits, level = [], [], []
        for number, (anchors, x, codes) in enumerate(zip(raw.anchors, raw.logits, raw.codes, strict=True)):
            order = x[:, 0].argsort(descending=True, stable=True)[:1000]
            boxes.append(p.decode(codes[order], anchors[order], ONES, both_sides=both_sides))
            logits.append(x[order, 0])
            level += [number] * len(order)
        found, scores = p.clip(torch.cat(boxes), size_hw), torch.cat(logits)
        side = p.sides(found)
        large = ((side > least) if strictly else (side >= least)).all(dim=1)
        found, scores, groups = found[large], scores[large], torch.tensor(level)[large]
        return found[p.suppress(found, scores, groups, 0.7)[:1000]]

    def torchvision_faster_forward(
        self, state: dict[str, Tensor], pixels: Tensor, size_hw: Sequence[int], version: int
    ) -> Outputs:
        p = self.p
        _, levels, raw = self._torchvision_maps(state, pixels, version)
        boxes = self._proposals(raw, size_hw, least=1e-3, strictly=False)
        logits, codes = self._torchvision_regions(state, levels, boxes, version)
        scores = logits.softmax(dim=1)
        scores[:, [c for c in range(91) if c not in COCO_IDS]] = 0  # background, and names that do not exist
        region, label = p.best(scores, 0.05, 10**6)
        decoded = p.decode(codes.view(-1, 91, 4)[region, label], boxes[region], TENS)
        raw.boxes, raw.scores, raw.labels = p.clip(decoded, size_hw), scores[region, label], label
        self._keep(raw, (p.sides(raw.boxes) >= 1e-2).all(dim=1))
        return self._keep(raw, p.suppress(raw.boxes, raw.scores, raw.labels, 0.5)[:100])

    # detectron2 and mmdetection --------------------------------------------------------------------------

    def exact_retinanet(self, family: str, classes: int, pixels: Tensor) -> dict[str, Tensor]:
        p, n = self.p, EXACT[family]
        m = p.Maker(20 if family == "detectron2" else 30, counters=family == "mmdetection")
        m.resnet(self._names(family))
        for place, channels in enumerate((512, 1024, 2048)):
            m.conv(n["lateral"](place + 3, place), channels, p.D, 1)
            m.conv(n["output"](place + 3, place), p.D, p.D, 3)
        m.conv(n["p6"], 2048, p.D, 3)
        m.conv(n["p7"], p.D, p.D, 3)
        for tower, last, outputs in (("cls", "cls", classes), ("reg", "reg", 4)):
            for index in range(4):
                m.conv(n[tower](index), p.D, p.D, 3)
            m.conv(n[f"last_{last}"], p.D, 9 * outputs, 3)
        raw = self._exact_retinanet(m.state, family, classes, pixels)
        p.spread(m.state, n["last_cls"], torch.cat(raw.logits), -4.0, 1.0)
        p.spread(m.state, n["last_reg"], torch.cat(raw.codes), 0.0, 0.4)
        state: dict[str, Tensor] = m.state
        return state

    def _names(self, family: str) -> Any:
        return self.p.CAFFE2_NAMES if family == "detectron2" else self.p.torch_names("backbone.")

    def _exact_retinanet(
        self, state: dict[str, Tensor], family: str, classes: int, pixels: Tensor
    ) -> Outputs:
        p, n = self.p, EXACT[family]
        features = p.resnet(
            state, self._names(family), pixels, eps=1e-5, stride_in_1x1=family == "detectron2"
        )
        levels = p.pyramid(
            features[1:],
            lambda i, x: p.conv(state, n["lateral"](i + 3, i), x),
            lambda i, x: p.conv(state, n["output"](i + 3, i), x),
        )
        p6 = p.conv(state, n["p6"], features[-1], 2)
        p7 = p.conv(state, n["p7"], F.relu(p6) if family == "detectron2" else p6, 2)
        raw = Outputs([], [], [])
        for number, x in enumerate([*levels, p6, p7]):
            sizes = [32 * 2**number * octave for octave in OCTAVES]
            by_size = family == "detectron2"
            cell = p.cell_by_size(sizes) if by_size else p.cell_by_aspect(sizes, rounded=False)
            raw.anchors.append(p.grid(cell, x.shape[2:], (8 * 2**number,) * 2))
            for tower, outputs, into in (("cls", classes, raw.logits), ("reg", 4, raw.codes)):
                y = x
                for index in range(4):
                    y = F.relu(p.conv(state, n[tower](index), y))
                into.append(p.rows(p.conv(state, n[f"last_{tower}"], y), outputs))
        return raw

    def exact_retinanet_forward(
        self, state: dict[str, Tensor], family: str, classes: int, pixels: Tensor, size_hw: Sequence[int]
    ) -> Outputs:
        p = self.p
        raw = self._exact_retinanet(state, family, classes, pixels)
        self._dense_candidates(raw, both_sides=family == "mmdetection")
        if family == "mmdetection":
            raw.boxes = p.clip(raw.boxes, size_hw)
            self._keep(raw, (p.sides(raw.boxes) > 0).all(dim=1))
        self._keep(raw, p.suppress(raw.boxes, raw.scores, raw.labels, 0.5)[:100])
        if family == "detectron2":
            raw.boxes = p.clip(raw.boxes, size_hw)
            self._keep(raw, (p.sides(raw.boxes) > 0).all(dim=1))
        return raw

    def exact_faster(self, family: str, classes: int, pixels: Tensor) -> dict[str, Tensor]:
        p, n = self.p, EXACT[family]
        m = p.Maker(40 if family == "detectron2" else 50, counters=family == "mmdetection")
        m.resnet(self._names(family))
        for place, channels in enumerate((256, 512, 1024, 2048)):
            m.conv(n["lateral"](place + 2, place), channels, p.D, 1)
            m.conv(n["output"](place + 2, place), p.D, p.D, 3)
        m.conv(n["rpn"][0], p.D, p.D, 3)
        m.conv(n["rpn"][1], p.D, 3, 1)
        m.conv(n["rpn"][2], p.D, 12, 1)
        m.linear(n["fcs"][0], p.D * 49, p.FC)
        m.linear(n["fcs"][1], p.FC, p.FC)
        m.linear(n["roi"][0], p.FC, classes + 1)
        m.linear(n["roi"][1], p.FC, classes * 4)
        return self._spread_two_stage(
            m.state,
            pixels,
            lambda state: self._exact_maps(state, family, pixels),
            lambda state, maps, boxes: self._exact_regions(state, family, maps, boxes),
            n["rpn"][1:],
            n["roi"],
        )

    def _exact_maps(self, state: dict[str, Tensor], family: str, pixels: Tensor) -> Any:
        p, n = self.p, EXACT[family]
        features = p.resnet(
            state, self._names(family), pixels, eps=1e-5, stride_in_1x1=family == "detectron2"
        )
        levels = p.pyramid(
            features,
            lambda i, x: p.conv(state, n["lateral"](i + 2, i), x),
            lambda i, x: p.conv(state, n["output"](i + 2, i), x),
        )
        levels.append(levels[-1][:, :, ::2, ::2])
        raw = Outputs([], [], [])
        for number, x in enumerate(levels):
            raw.anchors.append(p.grid(p.cell_by_size([32 * 2**number]), x.shape[2:], (4 * 2**number,) * 2))
            y = F.relu(p.conv(state, n["rpn"][0], x))
            raw.logits.append(p.rows(p.conv(state, n["rpn"][1], y), 1))
            raw.codes.append(p.rows(p.conv(state, n["rpn"][2], y), 4))
        return features, levels, raw

    def _exact_regions(
        self, state: dict[str, Tensor], family: str, levels: Sequence[Tensor], boxes: Tensor
    ) -> tuple[Tensor, Tensor]:
        n = EXACT[family]
        x = self._pool(levels, boxes, sampling=0, aligned=True).flatten(1)
        for name in n["fcs"]:
            x = F.relu(self._linear(state, name, x))
        return self._linear(state, n["roi"][0], x), self._linear(state, n["roi"][1], x)

    def exact_faster_forward(
        self, state: dict[str, Tensor], family: str, classes: int, pixels: Tensor, size_hw: Sequence[int]
    ) -> Outputs:
        p, mm = self.p, family == "mmdetection"
        _, levels, raw = self._exact_maps(state, family, pixels)
        boxes = self._proposals(raw, size_hw, least=0.0, strictly=True, both_sides=mm)
        logits, codes = self._exact_regions(state, family, levels, boxes)
        scores = logits.softmax(dim=1)[:, :-1]
        region, label = p.best(scores, 0.05, 10**6)
        chosen = codes.view(-1, classes, 4)[region, label]
        if mm:  # codes are multiplied by deviations, which is dividing by 1 / deviation
            decoded = p.decode(
                chosen * torch.tensor([0.1, 0.1, 0.2, 0.2]), boxes[region], ONES, both_sides=True
            )
        else:
            decoded = p.decode(chosen, boxes[region], TENS)
        raw.boxes, raw.scores, raw.labels = p.clip(decoded, size_hw), scores[region, label], label
        self._keep(raw, p.suppress(raw.boxes, raw.scores, raw.labels, 0.5)[:100])
        return raw if mm else self._keep(raw, (p.sides(raw.boxes) > 0).all(dim=1))


EXACT: dict[str, dict[str, Any]] = {
    "detectron2": {
        "lateral": lambda level, _place: f"backbone.fpn_lateral{level}",
        "output": lambda level, _place: f"backbone.fpn_output{level}",
        "p6": "backbone.top_block.p6",
        "p7": "backbone.top_block.p7",
        "cls": lambda index: f"head.cls_subnet.{2 * index}",
        "reg": lambda index: f"head.bbox_subnet.{2 * index}",
        "last_cls": "head.cls_score",
        "last_reg": "head.bbox_pred",
        "rpn": [
            f"proposal_generator.rpn_head.{name}" for name in ("conv", "objectness_logits", "anchor_deltas")
        ],
        "fcs": ["roi_heads.box_head.fc1", "roi_heads.box_head.fc2"],
        "roi": ["roi_heads.box_predictor.cls_score", "roi_heads.box_predictor.bbox_pred"],
    },
    "mmdetection": {
        "lateral": lambda _level, place: f"neck.lateral_convs.{place}.conv",
        "output": lambda _level, place: f"neck.fpn_convs.{place}.conv",
        "p6": "neck.fpn_convs.3.conv",
        "p7": "neck.fpn_convs.4.conv",
        "cls": lambda index: f"bbox_head.cls_convs.{index}.conv",
        "reg": lambda index: f"bbox_head.reg_convs.{index}.conv",
        "last_cls": "bbox_head.retina_cls",
        "last_reg": "bbox_head.retina_reg",
        "rpn": ["rpn_head.rpn_conv", "rpn_head.rpn_cls", "rpn_head.rpn_reg"],
        "fcs": ["roi_head.bbox_head.shared_fcs.0", "roi_head.bbox_head.shared_fcs.1"],
        "roi": ["roi_head.bbox_head.fc_cls", "roi_head.bbox_head.fc_reg"],
    },
}

"""The thesis's ablations as grids of configurations: plain data, in the order of its tables.

A study changes one thing of one recipe. Each cell is a set of `--set` assignments and, where the thesis has
it, the published scores: fractions, by the names of `amidst.evaluation`, each list under the setting that it
was measured in, because only numbers of the same setting can be compared. Does not import torch.

`base` are assignments that make the default recipe the thesis's model of that table; with another recipe they
are left out, so that a study of losses does not change a light recipe's backbone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Scores = dict[str, float]


@dataclass(frozen=True, slots=True)
class Published:
    """Scores from a table of the thesis."""

    setting: str  # network, size and data
    scores: Scores


@dataclass(frozen=True, slots=True)
class Cell:
    """One configuration of a study."""

    name: str  # also the name of its folder
    settings: tuple[str, ...]
    published: tuple[Published, ...] = ()


@dataclass(frozen=True, slots=True)
class Study:
    """A grid of configurations."""

    title: str
    source: str  # table of the thesis
    recipe: str  # default
    cells: tuple[Cell, ...]
    base: tuple[str, ...] = ()
    kind: Literal["detection", "proposals"] = "detection"
    chart: Literal["bars", "speed"] = "bars"


R50, R101 = "R50-600", "R101-600"  # ResNet and short side; COCO minival
TEST_DEV = "test-dev"
RPN, FAST, FASTER, SHARED = (
    "RPN, R50-800",
    "Fast R-CNN, R50-800",
    "separate networks, R50-800",
    "shared features",
)
AP = ("ap", "ap50", "ap75")
AP_BY_SIZE = (*AP, "ap_small", "ap_medium", "ap_large")
AP_OF_CHAPTER_4 = ("ap50", "ap", "ap_small", "ap_medium", "ap_large")
AR = ("ar@100", "ar@1000", "ar_small@1000", "ar_medium@1000", "ar_large@1000")


def _published(setting: str, names: tuple[str, ...], percent: tuple[float, ...]) -> Published:
    """From the percentages that the tables print."""
    return Published(setting, {name: round(p / 100, 5) for name, p in zip(names, percent, strict=True)})


def _ce_alpha(alpha: float, *percent: float) -> Cell:
    settings = ("model.loss.kind=balanced_cross_entropy", f"model.loss.alpha={alpha}")
    return Cell(f"alpha-{alpha}", settings, (_published(R50, AP, percent),))


def _focal_gamma(gamma: float, alpha: float, *percent: float) -> Cell:
    settings = ("model.loss.kind=focal", f"model.loss.gamma={gamma}", f"model.loss.alpha={alpha}")
    return Cell(f"gamma-{gamma:g}-alpha-{alpha:g}", settings, (_published(R50, AP, percent),))


def _anchors(scales: int, aspects: int, *percent: float) -> Cell:
    shapes = {1: "[1.0]", 3: "[0.5,1.0,2.0]"}[aspects]
    settings = (f"model.anchors.octave_scales={scales}", f"model.anchors.aspects={shapes}")
    return Cell(f"{scales}-scales-{aspects}-aspects", settings, (_published(R50, AP, percent),))


def _ohem(kind: str, batch: int, nms_iou: float, percent: float) -> Cell:
    settings = (
        "model.loss.kind=cross_entropy",
        f"model.loss.mining.kind={kind}",
        f"model.loss.mining.batch={batch}",
        f"model.loss.mining.nms_iou={nms_iou}",
    )
    name = f"{kind.replace('_', '-')}-{batch}-nms-{nms_iou}"
    return Cell(name, settings, (_published(R101, ("ap",), (percent,)),))


def _speed(depth: int, short: int, *percent_and_ms: float) -> Cell:
    settings = (
        f"model.backbone.name=resnet{depth}",
        f"data.resize.short={short}",
        f"data.resize.long={round(short * 1333 / 800)}",
    )
    *percent, milliseconds = percent_and_ms
    scores = _published(TEST_DEV, AP_BY_SIZE, tuple(percent)).scores | {"ms": milliseconds}
    return Cell(f"r{depth}-{short}", settings, (Published(TEST_DEV, scores),))


def _rpn(name: str, setting: str, *percent: float) -> Cell:
    return Cell(name, (setting,), (_published(RPN, AR, percent),))


def _fast(name: str, settings: tuple[str, ...], *percent: float) -> Cell:
    return Cell(name, settings, (_published(FAST, AP_OF_CHAPTER_4, percent),))


C4_CONV5 = ("model.maps=C4", "model.roi.head.kind=conv5")
NO_TOP_DOWN, NO_LATERAL, FINEST = "model.fpn.top_down=false", "model.fpn.lateral=false", "model.maps=finest"

CROSS_ENTROPY = Cell(
    "cross-entropy", ("model.loss.kind=cross_entropy",), (_published(R50, ("ap",), (30.2,)),)
)
BALANCED = Cell(
    "balanced-cross-entropy",
    ("model.loss.kind=balanced_cross_entropy", "model.loss.alpha=0.75"),
    (_published(R50, AP, (31.1, 49.4, 33.0)),),
)
FOCAL = Cell(
    "focal",
    ("model.loss.kind=focal", "model.loss.gamma=2.0", "model.loss.alpha=0.25"),
    (_published(R50, AP, (34.0, 52.5, 36.5)), _published(R101, AP, (36.0, 54.9, 38.7))),
)

STUDIES: dict[str, Study] = {
    "ce-alpha": Study(
        title="Weight of positives in cross-entropy",
        source="Table 5.1a",
        recipe="retinanet_r50_fpn_1x",
        cells=(
            _ce_alpha(0.1, 0.0, 0.0, 0.0),
            _ce_alpha(0.25, 10.8, 16.0, 11.7),
            _ce_alpha(0.5, 30.2, 46.7, 32.8),
            _ce_alpha(0.75, 31.1, 49.4, 33.0),
            _ce_alpha(0.9, 30.8, 49.7, 32.3),
            _ce_alpha(0.99, 28.7, 47.4, 29.9),
            _ce_alpha(0.999, 25.1, 41.7, 26.1),
        ),
    ),
    "anchor-density": Study(
        title="Sizes and aspect ratios of the anchors",
        source="Table 5.1b",
        recipe="retinanet_r50_fpn_1x",
        cells=(
            _anchors(1, 1, 30.3, 49.0, 31.8),
            _anchors(2, 1, 31.9, 50.0, 34.0),
            _anchors(3, 1, 31.8, 49.4, 33.7),
            _anchors(1, 3, 32.4, 52.3, 33.9),
            _anchors(2, 3, 34.2, 53.1, 36.5),
            _anchors(3, 3, 34.0, 52.5, 36.5),
            _anchors(4, 3, 33.8, 52.1, 36.2),
        ),
    ),
    "focal-gamma": Study(
        title="Focusing of the focal loss, each gamma with its best alpha",
        source="Table 5.1c",
        recipe="retinanet_r50_fpn_1x",
        cells=(
            _focal_gamma(0.0, 0.75, 31.1, 49.4, 33.0),
            _focal_gamma(0.1, 0.75, 31.4, 49.9, 33.1),
            _focal_gamma(0.2, 0.75, 31.9, 50.7, 33.4),
            _focal_gamma(0.5, 0.5, 32.9, 51.7, 35.2),
            _focal_gamma(1.0, 0.25, 33.7, 52.0, 36.2),
            _focal_gamma(2.0, 0.25, 34.0, 52.5, 36.5),
            _focal_gamma(5.0, 0.25, 32.2, 49.6, 34.8),
        ),
    ),
    "ohem": Study(
        title="Hard example mining against focal loss",
        source="Table 5.1d",
        recipe="retinanet_r50_fpn_1x",
        base=("model.backbone.name=resnet101",),
        cells=(
            _ohem("ohem", 128, 0.7, 31.1),
            _ohem("ohem", 256, 0.7, 31.8),
            _ohem("ohem", 512, 0.7, 30.6),
            _ohem("ohem", 128, 0.5, 32.8),
            _ohem("ohem", 256, 0.5, 31.0),
            _ohem("ohem", 512, 0.5, 27.6),
            _ohem("ohem_1_3", 128, 0.5, 31.1),
            _ohem("ohem_1_3", 256, 0.5, 28.3),
            _ohem("ohem_1_3", 512, 0.5, 24.0),
            Cell("cross-entropy", CROSS_ENTROPY.settings),
            Cell("balanced-cross-entropy", BALANCED.settings),
            Cell("focal", FOCAL.settings, (_published(R101, AP, (36.0, 54.9, 38.7)),)),
        ),
    ),
    "losses": Study(
        title="Five ways with the imbalance of foreground and background",
        source="Tables 5.1a, c, d",
        recipe="retinanet_r50_fpn_1x",
        cells=(
            CROSS_ENTROPY,
            BALANCED,
            FOCAL,
            _ohem("ohem", 128, 0.5, 32.8),
            _ohem("ohem_1_3", 128, 0.5, 31.1),
        ),
    ),
    "speed-accuracy": Study(
        title="Short side and depth: accuracy against time",
        source="Table 5.1e, Fig. 5.4",
        recipe="retinanet_r101_fpn_1.5x",
        chart="speed",
        cells=(
            _speed(50, 400, 30.5, 47.8, 32.7, 11.2, 33.8, 46.1, 64),
            _speed(50, 500, 32.5, 50.9, 34.8, 13.9, 35.8, 46.7, 72),
            _speed(50, 600, 34.3, 53.2, 36.9, 16.2, 37.4, 47.4, 98),
            _speed(50, 700, 35.1, 54.2, 37.7, 18.0, 39.3, 46.4, 121),
            _speed(50, 800, 35.7, 55.0, 38.5, 18.9, 38.9, 46.3, 153),
            _speed(101, 400, 31.9, 49.5, 34.1, 11.6, 35.8, 48.5, 81),
            _speed(101, 500, 34.4, 53.1, 36.8, 14.7, 38.5, 49.1, 90),
            _speed(101, 600, 36.0, 55.2, 38.7, 17.4, 39.6, 49.7, 122),
            _speed(101, 700, 37.1, 56.6, 39.8, 19.1, 40.6, 49.4, 154),
            _speed(101, 800, 37.8, 57.5, 40.8, 20.2, 41.1, 49.2, 198),
        ),
    ),
    "fpn-rpn": Study(
        title="Proposals from a feature pyramid, and without its parts",
        source="Table 4.1",
        recipe="rpn_r50_fpn",
        kind="proposals",
        cells=(
            _rpn("c4", "model.maps=C4", 36.1, 48.3, 32.0, 58.7, 62.2),
            _rpn("c5", "model.maps=C5", 36.3, 44.9, 25.3, 55.5, 64.2),
            _rpn("fpn", "model.maps=pyramid", 44.0, 56.3, 44.9, 63.4, 66.2),
            _rpn("no-top-down", NO_TOP_DOWN, 37.4, 49.5, 30.5, 59.9, 68.0),
            _rpn("no-lateral", NO_LATERAL, 34.5, 46.1, 26.5, 57.4, 64.7),
            _rpn("finest-only", FINEST, 38.4, 51.3, 35.1, 59.7, 67.6),
        ),
    ),
    "fpn-fast-rcnn": Study(
        title="Detection on fixed proposals from a feature pyramid, and without its parts",
        source="Table 4.2",
        recipe="fast_rcnn_r50_fpn",
        cells=(
            _fast("c4-conv5", C4_CONV5, 54.7, 31.9, 15.7, 36.5, 45.5),
            _fast("c5-2fc", ("model.maps=C5",), 52.9, 28.8, 11.9, 32.4, 43.4),
            _fast("fpn", ("model.maps=pyramid",), 56.9, 33.9, 17.8, 37.7, 45.8),
            _fast("no-top-down", (NO_TOP_DOWN,), 44.9, 24.9, 10.9, 24.4, 38.5),
            _fast("no-lateral", (NO_LATERAL,), 54.0, 31.3, 13.3, 35.2, 45.3),
            _fast("finest-only", (FINEST,), 56.3, 33.4, 17.3, 37.3, 45.6),
        ),
    ),
    "faster-rcnn": Study(
        title="Faster R-CNN, trained jointly, on one map and on a pyramid",
        source="Tables 4.3, 4.5",
        recipe="faster_rcnn_r50_fpn_1x",
        cells=(
            Cell(
                "c4-conv5", C4_CONV5, (_published(FASTER, AP_OF_CHAPTER_4, (53.1, 31.6, 13.2, 35.6, 47.1)),)
            ),
            Cell(
                "c5-2fc",
                ("model.maps=C5",),
                (_published(FASTER, AP_OF_CHAPTER_4, (51.7, 28.0, 9.6, 31.9, 43.1)),),
            ),
            Cell(
                "fpn",
                ("model.maps=pyramid",),
                (
                    _published(FASTER, AP_OF_CHAPTER_4, (56.9, 33.9, 17.8, 37.7, 45.8)),
                    _published(SHARED, ("ap50", "ap"), (57.2, 34.3)),
                ),
            ),
            Cell(
                "fpn-r101",
                ("model.backbone.name=resnet101",),
                (_published(SHARED, ("ap50", "ap"), (58.2, 35.2)),),
            ),
        ),
    ),
}

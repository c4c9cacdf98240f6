"""What travels between the engine and a worker: the task of a ticket, the body of an answer.

One pair per stage. Coordinates are pixels of the upright original image, 0 <= x <= width, with at most two
decimals; an answer with more is refused (rule "decimals"), never rounded. A task never says which of its
items are known to the engine: known and unknown items have the same fields, in an order drawn by lot. Items
of a grid are named by their position, 0 first.

What a body must be on its own stands here in its types; what it must be for its ticket, in `validation`.

Source: dataset-building rules of sections 2.3 and 2.4 and appendix A of the thesis.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from amidst.coco.records import Rle
from amidst.crowd.config import Stage

Coordinate = Annotated[float, msgspec.Meta(ge=0, le=1_000_000)]
Position = Annotated[int, msgspec.Meta(ge=0, le=1023)]
Id = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]


class Wire(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of everything that is sent."""


# --- tasks: engine to worker ------------------------------------------------------------------------------


class ImageRef(Wire, frozen=True):
    """An image of the campaign; the server turns its id into an address."""

    id: int
    width: int
    height: int


class CategoryRef(Wire, frozen=True):
    """A category as a worker sees it. icon: a symbol of the pages' sprite, "" for none."""

    id: int
    name: str
    icon: str = ""
    definition: str = ""


class Panel(Wire, frozen=True):
    """One supercategory and its icons. icon: its own, "" for none."""

    super: str
    categories: tuple[CategoryRef, ...]
    icon: str = ""


class CandidateRef(Wire, frozen=True):
    """A proposed category."""

    id: int
    name: str
    supercategory: str = ""


class BallotTask(Wire, frozen=True, tag="category_votes"):
    """Score every candidate 1 to 5."""

    candidates: tuple[CandidateRef, ...]


class FilterTask(Wire, frozen=True, tag="image_filter"):
    """Mark the images of the grid that should not be in the collection."""

    items: tuple[ImageRef, ...]


class LabellingTask(Wire, frozen=True, tag="labelling"):
    """Say for each panel whether anything of it is in the image; drop an icon for each category."""

    image: ImageRef
    panels: tuple[Panel, ...]


class SpottingTask(Wire, frozen=True, tag="spotting"):
    """Put a cross on each instance. prior_xy: where an icon was dropped, to blink."""

    image: ImageRef
    category: CategoryRef
    prior_xy: tuple[float, float]
    max_points: int


class SegmentationTask(Wire, frozen=True, tag="segmentation"):
    """Draw the instance at target_xy. masks: those of the same category that exist."""

    image: ImageRef
    category: CategoryRef
    target_xy: tuple[float, float]
    masks: tuple[Rle, ...]


class TrainingTask(Wire, frozen=True, tag="training"):
    """The same on a mask that is known; the reply shows the overlap and the truth."""

    image: ImageRef
    category: CategoryRef
    target_xy: tuple[float, float]
    masks: tuple[Rle, ...]
    passed: int
    needed: int
    tries_left: int


class GridMask(Wire, frozen=True):
    """A mask to judge. crop_xywh: the part of the image to show. region: one outline around many."""

    image: ImageRef
    category: CategoryRef
    crop_xywh: tuple[float, float, float, float]
    mask: Rle
    region: bool = False


class VerificationTask(Wire, frozen=True, tag="verification"):
    """Mark the poor masks of the grid."""

    items: tuple[GridMask, ...]


class CrowdTask(Wire, frozen=True, tag="crowd_regions"):
    """Paint all instances that no mask covers. points: where workers saw some."""

    image: ImageRef
    category: CategoryRef
    masks: tuple[Rle, ...]
    points: tuple[tuple[float, float], ...]


class CaptionTask(Wire, frozen=True, tag="captions"):
    """Describe the image in a sentence."""

    image: ImageRef
    min_words: int
    max_words: int


Task = (
    BallotTask
    | FilterTask
    | LabellingTask
    | SpottingTask
    | SegmentationTask
    | TrainingTask
    | VerificationTask
    | CrowdTask
    | CaptionTask
)


# --- answers: worker to engine ----------------------------------------------------------------------------


class Score(Wire, frozen=True):
    """1 to 5 points for how common, how useful, how different a candidate is."""

    candidate: Id
    score: Annotated[int, msgspec.Meta(ge=1, le=5)]
    comment: Annotated[str, msgspec.Meta(max_length=500)] = ""


class BallotBody(Wire, frozen=True):
    """Exactly one score per candidate."""

    scores: Annotated[tuple[Score, ...], msgspec.Meta(max_length=5000)]


class Removal(Wire, frozen=True):
    """One image of the grid that should go, and why."""

    item: Position
    reason: Literal["invalid", "iconic_object", "iconic_scene"]


class FilterBody(Wire, frozen=True):
    """Images that are not named stay."""

    removed: Annotated[tuple[Removal, ...], msgspec.Meta(max_length=1024)] = ()


class Icon(Wire, frozen=True):
    """An icon dropped onto an instance."""

    category: Id
    x: Coordinate
    y: Coordinate


class PanelAnswer(Wire, frozen=True):
    """present: something of this supercategory is in the image; then at least one icon."""

    super: Annotated[str, msgspec.Meta(max_length=200)]
    present: bool
    icons: Annotated[tuple[Icon, ...], msgspec.Meta(max_length=500)] = ()


class LabellingBody(Wire, frozen=True):
    """Every panel of the task once, in any order."""

    panels: Annotated[tuple[PanelAnswer, ...], msgspec.Meta(max_length=500)]


class Point(Wire, frozen=True):
    """A cross."""

    x: Coordinate
    y: Coordinate


class SpottingBody(Wire, frozen=True):
    """none: there is no instance, and no point."""

    points: Annotated[tuple[Point, ...], msgspec.Meta(max_length=100)] = ()
    none: bool = False
    more_than_10: bool = False


Vertex = tuple[Coordinate, Coordinate]


class Part(Wire, frozen=True):
    """A closed outline without the repeated last vertex. hole: taken out of the other parts."""

    points: Annotated[tuple[Vertex, ...], msgspec.Meta(min_length=3, max_length=2000)]
    hole: bool = False


class SegmentationBody(Wire, frozen=True):
    """Also the body of training, where only "mask" counts.

    kind: "mask" with parts, or one of four without: "no_such_object" (nothing of this category is in the
    image), "all_done" (the masks shown are all there is), "not_here" (there are more, but none at this
    point), "cannot_tell".
    off_target: the worker confirms that the mask does not hold the target point.
    """

    kind: Literal["mask", "no_such_object", "all_done", "not_here", "cannot_tell"]
    parts: Annotated[tuple[Part, ...], msgspec.Meta(max_length=50)] = ()
    off_target: bool = False


class VerificationBody(Wire, frozen=True):
    """Positions of the poor masks."""

    bad: Annotated[tuple[Position, ...], msgspec.Meta(max_length=1024)] = ()


class CrowdBody(Wire, frozen=True):
    """The region as an RLE at image size, or the statement that every instance has its mask."""

    region: Rle | None = None
    none_left: bool = False


class CaptionBody(Wire, frozen=True):
    """One or two sentences."""

    text: Annotated[str, msgspec.Meta(max_length=2000)]


Body = (
    BallotBody
    | FilterBody
    | LabellingBody
    | SpottingBody
    | SegmentationBody
    | VerificationBody
    | CrowdBody
    | CaptionBody
)

BODIES: dict[Stage, type[Body]] = {
    "category_votes": BallotBody,
    "image_filter": FilterBody,
    "labelling": LabellingBody,
    "spotting": SpottingBody,
    "segmentation": SegmentationBody,
    "training": SegmentationBody,
    "verification": VerificationBody,
    "crowd_regions": CrowdBody,
    "captions": CaptionBody,
}


class Client(Wire, frozen=True):
    """What the page measured."""

    ms_active: Annotated[int, msgspec.Meta(ge=0, le=10**9)] = 0
    zoom_max: Annotated[float, msgspec.Meta(ge=0, le=1000)] = 1.0
    undo_count: Annotated[int, msgspec.Meta(ge=0, le=10**6)] = 0
    assist_used: bool = False
    app_version: Annotated[str, msgspec.Meta(max_length=100)] = ""

"""Every number of the annotation chain, each written once.

Numbers of the thesis stand without a mark; "ours" marks what the thesis does not give. Times are seconds,
lengths pixels of the upright original image, shares 0 to 1.

Source: sections 2.3 and 2.4 and appendix A of the thesis "Detecting Common Objects in Context".
"""

from __future__ import annotations

from typing import Literal

import msgspec

from amidst.config import Config
from amidst.crowd.quality import RejectionLine
from amidst.crowd.reputation import QualityConfig

Stage = Literal[
    "category_votes",
    "image_filter",
    "labelling",
    "spotting",
    "segmentation",
    "training",
    "verification",
    "crowd_regions",
    "captions",
]
"""What a ticket asks for. Nobody asks for `training`: it is what a worker gets who asks for `segmentation`
without having passed the gate of a category."""

STAGES: tuple[Stage, ...] = (
    "category_votes",
    "image_filter",
    "labelling",
    "spotting",
    "segmentation",
    "training",
    "verification",
    "crowd_regions",
    "captions",
)


class LeaseConfig(Config, frozen=True):
    """How long a ticket is held. All ours."""

    grid_s: float = 15 * 60  # labelling, spotting, grids and every other stage that is not drawn
    drawing_s: float = 60 * 60  # segmentation, training and crowd regions
    heartbeat_s: float = 60  # how often a client renews
    limit_s: float = 4 * 3600  # from the issue on, however often it is renewed
    live_tickets: int = 4  # of one worker in one stage: the one in work and three fetched ahead


class VotesConfig(Config, frozen=True):
    """Category votes: each voter scores each candidate 1 to 5."""

    voters: int = 5  # ours
    target: int = 91
    more_instances_than: int = 5000
    least: int = 0  # ours: chosen categories of every super-category, at least
    most: int = 0  # ours: and at most; 0 for no limit


class FilterConfig(Config, frozen=True):
    """Grids of thumbnails in which iconic and invalid images are marked for removal."""

    grid: int = 128
    known_iconic: int = 4  # ours: hidden in each grid
    known_good: int = 4  # ours
    must_find: int = 3  # ours: of the known iconic ones, to complete
    max_marked: float = 0.5  # ours: of the known good ones, and of all that are not known to be bad
    tries: int = 3  # ours
    workers: int = 3  # ours: judgements of each image
    remove_votes: int = 2  # ours


class LabellingConfig(Config, frozen=True):
    """Which categories are in an image: the union of what the workers say."""

    workers: int = 8
    cluster_px: float = 0.05  # ours: radius of a cluster of icons, share of the image's diagonal


class SpottingConfig(Config, frozen=True):
    """A cross on every instance of a category."""

    workers: int = 8
    max_points: int = 10
    min_distance_px: float = 2.0  # ours
    crowd_votes: int = 4  # ours: of the workers, "10 or more" makes a cell a candidate for a crowd region


class SegmentationConfig(Config, frozen=True):
    """One polygon per instance, one open ticket per image and category."""

    training_iou: float = 0.80  # ours: the thesis says "adequately matched"
    training_iou_small: float = 0.70  # ours: below small_area
    small_area: float = 32.0**2
    training_passes: int = 2  # ours
    training_tries: int = 5  # ours
    training_pause_s: float = 24 * 3600  # ours
    require_training: bool = True
    gold_most: float = QualityConfig().gold_most  # ours: share of known objects, hidden, for a stranger
    gold_least: float = QualityConfig().gold_least  # ours: and for one who is known well
    neighbour_px: float = 0.03  # ours: radius within which points are neighbours, share of the diagonal
    tolerance_px: float = 2.0  # a point this close to a mask is covered
    target_px: float = 3.0  # a mask this far from its target needs the worker's confirmation
    confirmations: int = 2  # ours (1 is the thesis): persons who must agree that nothing is left
    cannot_tell: int = 3  # ours: so many "cannot tell" and an expert decides
    attempts: int = 3  # ours: so many discarded masks of one point and an expert draws
    min_vertices: int = 3
    max_vertices: int = 2000  # of a part
    max_parts: int = 50
    max_total_vertices: int = 10_000  # ours: of an answer
    min_area: int = 4


class VerificationConfig(Config, frozen=True):
    """Grids of masks in which poor ones are marked: three votes, two more after a bad one."""

    grid: int = 64
    known_bad: int = 4
    known_good: int = 4  # ours
    must_find: int = 3  # of the known bad ones, to complete
    max_marked: float = 0.5  # ours: of the known good ones, and of all that are not known to be bad
    tries: int = 3  # ours
    votes: int = 3
    more_votes: int = 2
    good_votes: int = 4  # of votes + more_votes
    early_stop: bool = True  # ours: no further votes where they cannot change the outcome
    bad_iou: float = 0.6  # ours: a synthetic spoiling overlaps the truth at most so much
    crop: float = 1.5  # side of a crop, in sides of the mask's box
    min_items: int = 16  # ours: a grid is handed out when so many masks wait, when one has waited
    patience_s: float = 600  # ours: so long, or when nothing of its category is left to draw


class CrowdConfig(Config, frozen=True):
    """The rest of a cell after its individual masks, painted as one region."""

    individuals: int = 10  # masks accepted before a crowd region is thought of
    most_individuals: int = 15  # if all that is left fits, masks go on up to here
    votes: int = 3  # ours: in grids of verification
    good_votes: int = 2  # ours
    attempts: int = 3  # ours: so many discarded regions and an expert paints


class CaptionConfig(Config, frozen=True):
    """Sentences about an image. Lengths and distance are ours."""

    workers: int = 5
    min_words: int = 8
    max_words: int = 60
    similarity: float = 0.9  # Jaccard index of the words from which two captions are the same
    compare_with: int = 50  # last captions of the same worker


class CampaignConfig(Config, frozen=True):
    """A campaign. stages: those that are handed out; the others wait."""

    name: str = "dataset"
    version: str = "1.0"
    hour_cost: float = 0.0  # ours: of an hour of a worker's time, in your currency; 0 counts hours alone
    stages: tuple[Stage, ...] = STAGES
    lease: LeaseConfig = msgspec.field(default_factory=LeaseConfig)
    category_votes: VotesConfig = msgspec.field(default_factory=VotesConfig)
    image_filter: FilterConfig = msgspec.field(default_factory=FilterConfig)
    labelling: LabellingConfig = msgspec.field(default_factory=LabellingConfig)
    spotting: SpottingConfig = msgspec.field(default_factory=SpottingConfig)
    segmentation: SegmentationConfig = msgspec.field(default_factory=SegmentationConfig)
    verification: VerificationConfig = msgspec.field(default_factory=VerificationConfig)
    crowd_regions: CrowdConfig = msgspec.field(default_factory=CrowdConfig)
    captions: CaptionConfig = msgspec.field(default_factory=CaptionConfig)
    rejection: RejectionLine = msgspec.field(default_factory=RejectionLine)

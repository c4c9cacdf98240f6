"""A whole campaign with simulated workers in memory: the rules of the thesis without server or database.

Answers within seconds what a configuration would cost and give: eight labellers an image or five? which
share of masks comes back? It follows the stages of labelling, spotting, segmentation behind the training
gate, verification in grids with known masks, and crowd regions (spec 6.3 to 6.7), one round of masks for all
cells after the other. It shares the simulated workers and the configuration with the real engine and none of
its code, so that the two can be held against each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from amidst.coco import masks
from amidst.coco.dataset import CocoDataset
from amidst.coco.records import Annotation, Rle
from amidst.crowd.bodies import (
    Body,
    CategoryRef,
    CrowdBody,
    CrowdTask,
    ImageRef,
    LabellingBody,
    LabellingTask,
    Panel,
    SegmentationBody,
    SegmentationTask,
    SpottingBody,
    SpottingTask,
    Task,
    TrainingTask,
)
from amidst.crowd.config import CampaignConfig
from amidst.crowd.outlines import rasterise
from amidst.crowd.simulated_answers import Memory, answer
from amidst.crowd.simulated_grids import Candidate, judge
from amidst.crowd.simulated_seeing import XY, by_category, near_mask, run_ends
from amidst.crowd.simulated_workers import SimulatedWorker
from amidst.crowd.world import TrueObject, World, WorldImage

Rng = np.random.Generator
_MAX_ROUNDS = 60


@dataclass
class Cell:
    """One category of one image on its way to masks."""

    image: WorldImage
    category: CategoryRef
    points: list[XY] = field(default_factory=list)
    most_seen: int = 0
    crowd_votes: int = 0
    accepted: list[Rle] = field(default_factory=list)
    region: Rle | None = None
    denials: int = 0
    gone: list[XY] = field(default_factory=list)
    failures: int = 0
    closed: bool = False

    def open_points(self, tolerance: float) -> list[XY]:
        """The points that no accepted mask covers and nobody took back."""
        left = [point for point in self.points if point not in self.gone]
        return [p for p in left if not any(near_mask(mask, p, tolerance) for mask in self.accepted)]


@dataclass
class Campaign:
    """Everything that happened. seconds: active time by stage. votes: (overlap with truth, good) per vote."""

    world: World
    workers: Sequence[SimulatedWorker]
    config: CampaignConfig
    rng: Rng
    images: dict[int, WorldImage]
    done: dict[int, int] = field(default_factory=dict)
    previous: dict[tuple[int, str], Body] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    labels: list[tuple[int, int, int]] = field(default_factory=list)
    label_jobs: list[tuple[int, int]] = field(default_factory=list)
    cells: list[Cell] = field(default_factory=list)
    trained: dict[tuple[int, int], bool] = field(default_factory=dict)
    drawn: list[float] = field(default_factory=list)
    kept: list[float] = field(default_factory=list)
    gate_failures: dict[str, int] = field(default_factory=dict)

    def ask(self, worker: SimulatedWorker, task: Task, earlier: Body | None = None) -> Body:
        """The worker's answer; a worker who leaves is asked again later, which changes nothing here."""
        stage = type(task).__name__
        memory = Memory(self.done.get(worker.index, 0), self.previous.get((worker.index, stage)), earlier)
        turn = answer(task, self.images, worker, self.rng, memory)
        self.done[worker.index] = memory.done + 1
        self.previous[worker.index, stage] = turn.body
        self.seconds[stage] = self.seconds.get(stage, 0.0) + turn.seconds
        return turn.body

    def draw_workers(self, number: int) -> list[SimulatedWorker]:
        """Different workers, by lot."""
        return [self.workers[k] for k in self.rng.permutation(len(self.workers))[:number]]


def run_campaign(
    world: World, workers: Sequence[SimulatedWorker], seed: int, config: CampaignConfig | None = None
) -> Campaign:
    """All stages over all images of the world. The same arguments give the same campaign."""
    campaign = Campaign(
        world,
        workers,
        config or CampaignConfig(),
        np.random.default_rng([seed, 6]),
        {image.record.id: image for image in world.images},
    )
    panels = _panels(world)
    for image in world.images:
        _label(campaign, image, panels)
    for cell in campaign.cells:
        _spot(campaign, cell)
    for _ in range(_MAX_ROUNDS):
        if all(cell.closed for cell in campaign.cells):
            break
        _draw_round(campaign)
    return campaign


def result(campaign: Campaign) -> CocoDataset:
    """Accepted masks and crowd regions as a dataset."""
    found: list[tuple[Cell, Rle, bool]] = []
    for cell in campaign.cells:
        found += [(cell, mask, False) for mask in cell.accepted]
        if cell.region is not None:
            found.append((cell, cell.region, True))
    rles = [mask for _, mask, _ in found]
    areas, boxes = masks.area(rles), masks.boxes(rles)
    annotations = []
    for number, ((cell, mask, crowd), area, box) in enumerate(zip(found, areas, boxes, strict=True), start=1):
        x, y, width, height = (float(value) for value in box)
        annotations.append(
            Annotation(
                number,
                cell.image.record.id,
                cell.category.id,
                (x, y, width, height),
                float(area),
                iscrowd=crowd,
                segmentation=mask,
            )
        )
    return CocoDataset(
        images=tuple(image.record for image in campaign.world.images),
        annotations=tuple(annotations),
        categories=campaign.world.categories,
    )


# ------------------------------------------------------------------------------------------------ stages


def _panels(world: World) -> tuple[Panel, ...]:
    groups: dict[str, list[CategoryRef]] = {}
    for category in world.categories:
        groups.setdefault(category.supercategory, []).append(CategoryRef(id=category.id, name=category.name))
    return tuple(Panel(super=name, categories=tuple(group)) for name, group in groups.items())


def image_ref(image: WorldImage) -> ImageRef:
    """The photograph as a task names it."""
    return ImageRef(id=image.record.id, width=image.record.width, height=image.record.height)


def _label(campaign: Campaign, image: WorldImage, panels: tuple[Panel, ...]) -> None:
    task = LabellingTask(image=image_ref(image), panels=panels)
    drops: dict[int, XY] = {}
    for worker in campaign.draw_workers(campaign.config.labelling.workers):
        body = campaign.ask(worker, task)
        assert isinstance(body, LabellingBody)
        campaign.label_jobs.append((image.record.id, worker.index))
        for icon in (icon for panel in body.panels for icon in panel.icons):
            drops.setdefault(icon.category, (icon.x, icon.y))
            campaign.labels.append((image.record.id, icon.category, worker.index))
    categories = {category.id: category for panel in panels for category in panel.categories}
    for category_id, place in drops.items():
        campaign.cells.append(Cell(image, categories[category_id], [place]))


def _spot(campaign: Campaign, cell: Cell) -> None:
    config = campaign.config.spotting
    task = SpottingTask(
        image=image_ref(cell.image),
        category=cell.category,
        prior_xy=cell.points[0],
        max_points=config.max_points,
    )
    for worker in campaign.draw_workers(config.workers):
        body = campaign.ask(worker, task)
        assert isinstance(body, SpottingBody)
        cell.points += [(point.x, point.y) for point in body.points]
        cell.most_seen = max(cell.most_seen, len(body.points))
        cell.crowd_votes += body.more_than_10 or len(body.points) >= config.max_points


def _draw_round(campaign: Campaign) -> None:
    """One mask or statement for each open cell; then votes on all masks; then what follows from them."""
    candidates: list[Candidate] = []
    cells: list[tuple[Cell, XY]] = []
    for cell in campaign.cells:
        if cell.closed:
            continue
        left = cell.open_points(campaign.config.segmentation.tolerance_px)
        if not left:
            cell.closed = True
        elif _is_crowd(campaign, cell, left):
            _paint(campaign, cell, left)
        else:
            target = _densest(left, cell.image, campaign.config.segmentation.neighbour_px)
            candidate = _draw(campaign, cell, target)
            if candidate is not None:
                candidates.append(candidate)
                cells.append((cell, target))
    verdicts = judge(
        campaign.ask, campaign.workers, candidates, campaign.config, campaign.rng, campaign.gate_failures
    )
    for (cell, target), candidate, good in zip(cells, candidates, verdicts, strict=True):
        campaign.drawn.append(candidate.overlap)
        if good:
            cell.accepted.append(candidate.mask)
            campaign.kept.append(candidate.overlap)
            cell.failures = 0
            continue
        cell.failures += 1
        if cell.failures >= campaign.config.segmentation.attempts:
            cell.gone.append(target)
            cell.failures = 0


def _draw(campaign: Campaign, cell: Cell, target: XY) -> Candidate | None:
    worker = _trained_worker(campaign, cell.category)
    task = SegmentationTask(
        image=image_ref(cell.image), category=cell.category, target_xy=target, masks=tuple(cell.accepted)
    )
    body = campaign.ask(worker, task)
    assert isinstance(body, SegmentationBody)
    if body.kind in ("no_such_object", "all_done"):
        cell.denials += 1
        cell.closed = cell.denials >= campaign.config.segmentation.confirmations
        return None
    if body.kind != "mask":
        cell.gone.append(target)
        return None
    mask = rasterise(body.parts, (cell.image.record.height, cell.image.record.width))
    truths = [thing.mask for thing in by_category(cell.image).get(cell.category.id, [])]
    overlap = float(masks.iou([mask], truths).max()) if truths else 0.0
    return Candidate(cell.image, cell.category, mask, worker.index, overlap)


def _trained_worker(campaign: Campaign, category: CategoryRef) -> SimulatedWorker:
    """A worker who has passed the gate of the category; if nobody does, the last who tried."""
    worker = campaign.workers[0]
    for worker in campaign.draw_workers(len(campaign.workers)):
        key = (worker.index, category.id)
        if key not in campaign.trained:
            campaign.trained[key] = passes_training(campaign, worker, category)
        if campaign.trained[key]:
            break
    return worker


def passes_training(campaign: Campaign, worker: SimulatedWorker, category: CategoryRef) -> bool:
    """Whether enough of the worker's outlines of known objects fit (spec 6.5)."""
    config = campaign.config.segmentation
    if not config.require_training:
        return True
    known: list[tuple[WorldImage, TrueObject]] = [
        (image, thing)
        for image in campaign.world.images
        for thing in by_category(image).get(category.id, [])
        if thing.area > 400 and thing.visible_share > 0.6
    ]
    passed = 0
    for tries in range(config.training_tries):
        if not known or passed >= config.training_passes:
            return True
        image, thing = known[int(campaign.rng.integers(len(known)))]
        task = TrainingTask(
            image=image_ref(image),
            category=category,
            target_xy=middle_of(thing),
            masks=(),
            passed=passed,
            needed=config.training_passes,
            tries_left=config.training_tries - tries,
        )
        body = campaign.ask(worker, task)
        if isinstance(body, SegmentationBody) and body.kind == "mask":
            limit = config.training_iou if thing.area >= config.small_area else config.training_iou_small
            passed += bool(masks.iou([rasterise(body.parts, thing.mask.size)], [thing.mask])[0, 0] >= limit)
    return passed >= config.training_passes


def middle_of(thing: TrueObject) -> XY:
    """A pixel of the object: the middle of the run in the middle."""
    ends = run_ends(thing.mask)
    starts, lengths = ends[:-1:2], np.diff(ends)[::2]
    half = len(lengths) // 2
    column, row = divmod(int(starts[half] + lengths[half] // 2), thing.mask.size[0])
    return column + 0.5, row + 0.5


def _is_crowd(campaign: Campaign, cell: Cell, left: Sequence[XY]) -> bool:
    """Whether what is left becomes one region (spec 6.7)."""
    config = campaign.config.crowd_regions
    if len(cell.accepted) < config.individuals:
        return False
    many = cell.crowd_votes >= campaign.config.spotting.crowd_votes
    rest = max(cell.most_seen - len(cell.accepted), 1)
    fits = not many and len(cell.accepted) + rest <= config.most_individuals
    return bool(left) and not (fits and len(cell.accepted) < config.most_individuals)


def _paint(campaign: Campaign, cell: Cell, left: Sequence[XY]) -> None:
    task = CrowdTask(
        image=image_ref(cell.image), category=cell.category, masks=tuple(cell.accepted), points=tuple(left)
    )
    body = campaign.ask(_trained_worker(campaign, cell.category), task)
    assert isinstance(body, CrowdBody)
    cell.region, cell.closed = body.region, True


def _densest(points: Sequence[XY], image: WorldImage, share: float) -> XY:
    """The point with most others near it."""
    places = np.array(points)
    reach = share * float(np.hypot(image.record.width, image.record.height))
    near = np.hypot(*(places[:, None] - places[None]).transpose(2, 0, 1)) <= reach
    return points[int(np.argmax(near.sum(axis=1)))]

"""What is left to do, in judgements, hours and money: what waits now, and what it will bring after it.

Units exist only once the stage before has made them: while images are labelled nobody knows how many cells
they hold. So every stage has a count that is known (places of open units) and one that is expected from the
ratios of what is finished: cells of a labelled image, masks of a closed cell, votes of a judged mask. Until
`LEAST` of them are finished, the figures of the thesis stand in, and are named as such.

Source: sections 2.3, 2.4 and 2.4.4 of the thesis (categories and instances of an image, hours of each stage).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Any

from sqlalchemy import Connection, case, func, select, true

from amidst.crowd.bodies import Wire
from amidst.crowd.config import STAGES, CampaignConfig
from amidst.crowd.context import read_campaign
from amidst.crowd.schema import answer, category, image, qualification, training_attempt, unit, worker
from amidst.crowd.schema_chain import cell, crowd_region, segmentation

LEAST = 20  # finished images, cells or masks from which a ratio is believed
SECONDS = {  # of one judgement: the thesis's hours where it gives them, else ours
    "category_votes": 600.0,
    "image_filter": 1.2,
    "labelling": 27.0,  # 20,000 hours for 328,000 images and 8 workers
    "spotting": 4.0,  # 10,000 hours for 328,000 images of 3.5 cells and 8 workers
    "segmentation": 79.0,  # 22 hours for 1,000 masks
    "training": 79.0,
    "verification": 1.2,
    "crowd_regions": 90.0,
    "captions": 45.0,
}
OF_THESIS = (
    "labelling",
    "spotting",
    "segmentation",
    "training",
)  # it gives their seconds; the others' are ours
AT_A_TIME = 1 / 6  # ours: share of the categories that have work to draw at a time, of simulated campaigns
CELLS, MASKS, REGIONS, VOTES = 3.5, 2.2, 0.05, 3.5  # of an image, of a cell (7.7 / 3.5), of a mask


class StageOutlook(Wire, frozen=True):
    """waiting: judgements of units that exist; later: expected of units to come. seconds: of a judgement,
    measured here or (measured False) the thesis's. answers: so far, not voided. hours: of both together.
    """

    stage: str
    waiting: int
    later: int
    answers: int
    seconds: float
    measured: bool
    hours: float


class Outlook(Wire, frozen=True):
    """hours: of all stages that are on; cost: of them, in the currency of `hour_cost`. guessed: the ratios
    that still are the thesis's."""

    stages: tuple[StageOutlook, ...]
    hours: float
    cost: float
    guessed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Counts:
    """waiting, done, answers, ms: by stage. Cells, masks and so on of what is finished, and finished ones.

    images_open: kept ones whose labelling goes on, and candidates that will probably be kept. cells_open:
    not closed. early_cells, early_masks: already there of the images and cells that are not finished.
    masks_by_experts: of all that are drawn; nobody votes on them. masks_judged: by votes. drawers: active
    workers who need gates; those who have tried, once `LEAST` attempts are made. categories: active ones.
    gates_open: passed by drawers of active categories. attempts: at training, by drawers.
    """

    waiting: dict[str, int]
    done: dict[str, int]
    answers: dict[str, int]
    ms: dict[str, int]
    candidates: int
    images_open: int
    images_done: int
    cells_of_done: int
    early_cells: int
    cells_open: int
    cells_done: int
    masks_of_done: int
    early_masks: int
    masks_by_experts: int
    regions_of_done: int
    masks_judged: int
    drawers: int
    categories: int
    gates_open: int
    attempts: int


def outlook(connection: Connection) -> Outlook:
    """Reads the counts in one transaction. Counts whole tables: not for a hot path."""
    return project(read_counts(connection), read_campaign(connection).config)


def project(counts: Counts, config: CampaignConfig) -> Outlook:
    """From counts to hours. Pure."""
    per_image, image_known = _ratio(counts.cells_of_done, counts.images_done, CELLS)
    per_cell, cell_known = _ratio(counts.masks_of_done, counts.cells_done, MASKS)
    regions, _ = _ratio(counts.regions_of_done, counts.cells_done, REGIONS)
    per_mask, mask_known = _ratio(counts.done.get("verification", 0), counts.masks_judged, VOTES)
    images = counts.images_open + counts.candidates
    cells = max(0.0, per_image * images - counts.early_cells)
    open_cells = counts.cells_open + cells
    masks = max(0.0, per_cell * open_cells - counts.early_masks)
    drawn = counts.masks_of_done + counts.early_masks
    # experts draw the first masks, of which known items are made: their share falls
    by_workers = (drawn + LEAST - counts.masks_by_experts) / (drawn + LEAST)
    later = {
        "labelling": float(config.labelling.workers * counts.candidates),
        "captions": float(config.captions.workers * counts.candidates),
        "spotting": config.spotting.workers * cells,
        "segmentation": masks - counts.waiting.get("segmentation", 0),
        "crowd_regions": regions * open_cells - counts.waiting.get("crowd_regions", 0),
        "verification": per_mask * by_workers * masks,
        "training": _training(counts, config, by_workers * masks),
    }
    stages = tuple(_stage(stage, counts, max(0, ceil(later.get(stage, 0.0)))) for stage in config.stages)
    hours = sum(one.hours for one in stages)
    known = (("cells of an image", image_known), ("masks of a cell", cell_known), ("votes", mask_known))
    return Outlook(
        stages=stages,
        hours=hours,
        cost=hours * config.hour_cost,
        guessed=tuple(name for name, measured in known if not measured),
    )


def _training(counts: Counts, config: CampaignConfig, masks: float) -> float:
    """Attempts to come. masks: to be drawn by people who need gates. As long as nobody has come, as many are
    expected as label an image.
    """
    rules = config.segmentation
    drawers = counts.drawers or config.labelling.workers
    if not rules.require_training or not counts.categories:
        return 0.0
    prior = (rules.training_passes + rules.training_tries) / 2
    tries, _ = _ratio(counts.attempts, counts.gates_open, prior)
    drawn = counts.masks_of_done + counts.early_masks - counts.masks_by_experts
    before = gates_needed(drawn / drawers, counts.categories)
    after = gates_needed((drawn + masks) / drawers, counts.categories)
    return tries * drawers * (after - before)


def gates_needed(masks: float, categories: int) -> float:
    """Gates that each of some people opens who draw so many masks each, among so many categories.

    Nobody trains who finds work behind an open gate. If m categories have work at a time, somebody with open
    gates for a share q of all finds none with probability (1 - q)^m, and opens one: categories dq = (1 - q)^m
    dmasks. The more work there is at once, the fewer gates it takes. m: `AT_A_TIME` of all, at least 2.
    """
    power = max(2.0, AT_A_TIME * categories) - 1
    return float(categories * (1 - (1 + power * masks / categories) ** (-1 / power)))


def _ratio(part: int, whole: int, otherwise: float) -> tuple[float, bool]:
    return (part / whole, True) if whole >= LEAST else (otherwise, False)


def _stage(stage: str, counts: Counts, later: int) -> StageOutlook:
    judged = counts.done.get(stage, 0) or counts.answers.get(stage, 0)  # training has no units
    measured = judged >= LEAST and counts.ms.get(stage, 0) > 0
    seconds = counts.ms[stage] / 1000 / judged if measured else SECONDS[stage]
    waiting = counts.waiting.get(stage, 0)
    return StageOutlook(
        stage=stage,
        waiting=waiting,
        later=later,
        answers=counts.answers.get(stage, 0),
        seconds=seconds,
        measured=measured,
        hours=(waiting + later) * seconds / 3600,
    )


def read_counts(connection: Connection) -> Counts:
    """All that `project` needs."""
    waiting, done = _places(connection)
    answers = connection.execute(
        select(answer.c.stage, func.count(), func.sum(answer.c.ms_active))
        .where((answer.c.status == "accepted") & answer.c.voided_by.is_(None))
        .group_by(answer.c.stage)
    ).all()
    kept = connection.scalar(select(func.count()).where(image.c.state == "kept")) or 0
    labelled = (
        select(unit.c.ref_id)
        .where((unit.c.stage == "labelling") & (unit.c.state == "decided") & (unit.c.question == 0))
        .subquery("labelled")
    )
    images_done = connection.scalar(select(func.count()).select_from(labelled)) or 0
    cells_of_done = select(func.count()).select_from(
        cell.join(labelled, labelled.c.ref_id == cell.c.image_id)
    )
    live = cell.c.state != "withdrawn"
    of_done = connection.scalar(cells_of_done.where(live)) or 0
    closed = cell.c.state.in_(("closed", "false_positive"))
    cells = connection.execute(
        select(func.count(), func.sum(case((closed, 1), else_=0))).select_from(cell).where(live)
    ).one()
    masks_closed, masks_open = _drawn(connection, segmentation, closed)
    decided = segmentation.c.state.in_(("accepted", "discarded"))
    judged = connection.scalar(select(func.count()).where(decided, segmentation.c.by_expert.is_(False)))
    return Counts(
        waiting=waiting,
        done=done,
        answers={row[0]: row[1] for row in answers},
        ms={row[0]: int(row[2]) for row in answers},
        candidates=connection.scalar(select(func.count()).where(image.c.state == "candidate")) or 0,
        images_open=kept - images_done,
        images_done=images_done,
        cells_of_done=of_done,
        early_cells=cells[0] - of_done,
        cells_open=cells[0] - int(cells[1] or 0),
        cells_done=int(cells[1] or 0),
        masks_of_done=masks_closed,
        early_masks=masks_open,
        masks_by_experts=sum(_drawn(connection, segmentation, closed, segmentation.c.by_expert)),
        regions_of_done=_drawn(connection, crowd_region, closed)[0],
        masks_judged=judged or 0,
        **_gates(connection),
    )


def _gates(connection: Connection) -> dict[str, int]:
    drawers = (worker.c.state == "active") & worker.c.expert.is_(False)
    active = category.c.state == "active"
    passed = (
        select(func.count())
        .select_from(qualification)
        .join(worker, worker.c.id == qualification.c.worker_id)
        .join(category, category.c.id == qualification.c.category_id)
        .where(drawers, active, qualification.c.state == "passed")
    )
    tried = (
        select(func.count(), func.count(training_attempt.c.worker_id.distinct()))
        .select_from(training_attempt)
        .join(worker, worker.c.id == training_attempt.c.worker_id)
        .where(drawers)
    )
    attempts, people = connection.execute(tried).one()
    if attempts < LEAST:
        people = connection.scalar(select(func.count()).select_from(worker).where(drawers)) or 0
    queries = {
        "categories": select(func.count()).select_from(category).where(active),
        "gates_open": passed,
    }
    found = {name: connection.scalar(query) or 0 for name, query in queries.items()}
    return {**found, "attempts": attempts, "drawers": people}


def _places(connection: Connection) -> tuple[dict[str, int], dict[str, int]]:
    waiting: dict[str, int] = dict.fromkeys(STAGES, 0)
    done = dict(waiting)
    left = func.sum(unit.c.needed - unit.c.done)
    for row in connection.execute(
        select(unit.c.stage, unit.c.state, left, func.sum(unit.c.done)).group_by(unit.c.stage, unit.c.state)
    ):
        done[row[0]] += int(row[3])
        if row[1] == "open":
            waiting[row[0]] += int(row[2])
    return waiting, done


def _drawn(connection: Connection, table: Any, closed: Any, wanted: Any = None) -> tuple[int, int]:
    """Masks or regions that were drawn in closed cells, and in the others; those of void answers left out."""
    query = (
        select(func.count(), func.sum(case((closed, 1), else_=0)))
        .select_from(table.join(cell, cell.c.id == table.c.cell_id))
        .where(table.c.state != "withdrawn", cell.c.state != "withdrawn")
        .where(true() if wanted is None else wanted)
    )
    row = connection.execute(query).one()
    return int(row[1] or 0), row[0] - int(row[1] or 0)

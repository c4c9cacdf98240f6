"""The gate of a category: draw known masks; two of up to five that overlap the truth well enough open it.

Source: section 2.4.3 and appendix A of the thesis ("adequately matched"; the numbers are ours).
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, insert, select, update

from amidst.coco import masks
from amidst.coco.records import Rle
from amidst.crowd.bodies import SegmentationBody, TrainingTask
from amidst.crowd.config import SegmentationConfig
from amidst.crowd.context import Campaign, read_category, read_image
from amidst.crowd.decisions import record
from amidst.crowd.plans import Filed, Item, Judgement, Offer, Plan, StageWork, Target, Turn
from amidst.crowd.results import NoWork, TrainingResult
from amidst.crowd.rules import GATE, GateInputs, GateOutcome, open_gate
from amidst.crowd.schema import answer, gold, image, qualification, training_attempt
from amidst.crowd.validation import check_outlines, drawn_mask
from amidst.errors import AnswerError


def passed(turn: Turn, category_ids: set[int]) -> set[int]:
    """Those of the categories whose gate is open to the worker."""
    if turn.worker.expert or not turn.campaign.config.segmentation.require_training:
        return set(category_ids)
    rows = turn.connection.execute(
        select(qualification.c.category_id).where(
            qualification.c.worker_id == turn.worker.id, qualification.c.state == "passed"
        )
    )
    return category_ids & {row[0] for row in rows}


def offer(turn: Turn, category_ids: Sequence[int]) -> Offer | NoWork:
    """A known mask of the first category that has one and is not paused for the worker."""
    until: list[int] = []
    for category_id in category_ids:
        gate = state(turn, category_id)
        if gate.state == "paused" and gate.until > turn.now:
            until.append(gate.until)
            continue
        chosen = _choose(turn, category_id)
        if chosen is not None:
            return Offer("training", chosen)
    if until:
        return NoWork(reason="training_paused", retry_at=min(until))
    return NoWork(reason="no_gold" if category_ids else "nothing_open")


def task(turn: Turn, plan: Plan) -> TrainingTask:
    """The known object's place, and how far the worker is."""
    row = turn.connection.execute(
        select(gold.c.image_id, gold.c.category_id).where(gold.c.id == plan.items[0].ref)
    ).one()
    gate = state(turn, row.category_id)
    assert plan.target is not None
    return TrainingTask(
        image=read_image(turn.connection, row.image_id),
        category=read_category(turn.connection, row.category_id),
        target_xy=(plan.target.x, plan.target.y),
        masks=(),
        passed=gate.passed,
        needed=turn.campaign.config.segmentation.training_passes,
        tries_left=gate.tries_left,
    )


def judge(turn: Turn, plan: Plan, body: SegmentationBody) -> Judgement:
    """Measures the overlap. Raises AnswerError."""
    config = turn.campaign.config.segmentation
    if body.kind != "mask":
        raise AnswerError("in training there is an object at the marked point; draw it", rule="training-mask")
    check_outlines(body, config)
    assert plan.target is not None
    row = turn.connection.execute(
        select(gold.c.category_id, gold.c.rle, gold.c.image_id).where(gold.c.id == plan.items[0].ref)
    ).one()
    shown = read_image(turn.connection, row.image_id)
    mask = drawn_mask(body, shown, (plan.target.x, plan.target.y), config)
    truth = Rle((shown.height, shown.width), row.rle)
    overlap = float(masks.iou([mask], [truth])[0, 0])
    good = overlap >= needed_iou(truth, config)
    before = gather(turn.connection, turn.campaign, turn.worker.id, row.category_id)
    after = open_gate(_with(before, good, turn.now))
    result = TrainingResult(iou=round(overlap, 4), passed=good, state=after.state, truth=truth)
    return Judgement(mask=mask, training=result)


def accept(turn: Turn, filed: Filed) -> None:
    """Keeps the attempt and moves the gate."""
    result = filed.judgement.training
    assert result is not None
    gold_id = filed.plan.items[0].ref
    category_id = turn.connection.execute(select(gold.c.category_id).where(gold.c.id == gold_id)).scalar_one()
    turn.connection.execute(
        insert(training_attempt),
        {
            "worker_id": turn.worker.id,
            "category_id": category_id,
            "gold_id": gold_id,
            "answer_id": filed.answer_id,
            "iou": result.iou,
            "passed": result.passed,
            "created_at": turn.now,
        },
    )
    settle(turn.connection, turn.campaign, turn.worker.id, int(category_id or 0), turn.now)


def settle(connection: Connection, campaign: Campaign, worker_id: int, category_id: int, now: int) -> None:
    """Opens, pauses or closes the gate of a category for a worker."""
    inputs = gather(connection, campaign, worker_id, category_id)
    outcome, changed = record(connection, GATE, f"gate/{worker_id}/{category_id}", inputs, now)
    assert isinstance(outcome, GateOutcome)
    if not changed:
        return
    where = (qualification.c.worker_id == worker_id) & (qualification.c.category_id == category_id)
    values = {"state": outcome.state, "until": outcome.until}
    if not connection.execute(update(qualification).where(where).values(values)).rowcount:
        row = {"worker_id": worker_id, "category_id": category_id, **values}
        connection.execute(insert(qualification), row)


def gather(connection: Connection, campaign: Campaign, worker_id: int, category_id: int) -> GateInputs:
    """The attempts that count."""
    rows = connection.execute(_ATTEMPTS, {"worker": worker_id, "category": category_id})
    config = campaign.config.segmentation
    return GateInputs(
        attempts=tuple((row[0], row[1]) for row in rows),
        passes=config.training_passes,
        tries=config.training_tries,
        pause_us=round(1e6 * config.training_pause_s),
    )


def state(turn: Turn, category_id: int) -> GateOutcome:
    """The gate of a category for the worker, now."""
    return open_gate(gather(turn.connection, turn.campaign, turn.worker.id, category_id))


def needed_iou(truth: Rle, config: SegmentationConfig) -> float:
    """The overlap that passes; less for a small object."""
    small = int(masks.area([truth])[0]) < config.small_area
    return config.training_iou_small if small else config.training_iou


def _with(inputs: GateInputs, good: bool, now: int) -> GateInputs:
    return GateInputs(
        attempts=(*inputs.attempts, (good, now)),
        passes=inputs.passes,
        tries=inputs.tries,
        pause_us=inputs.pause_us,
    )


def _choose(turn: Turn, category_id: int) -> Plan | None:
    """A known mask that the worker has tried least often, by lot; its target is a point well inside."""
    rows = turn.connection.execute(
        select(gold.c.id, gold.c.rle, image.c.width, image.c.height)
        .join(image, image.c.id == gold.c.image_id)
        .where(gold.c.kind == "training", gold.c.category_id == category_id, gold.c.state == "active")
        .order_by(gold.c.id)
    ).all()
    if not rows:
        return None
    tried = [
        row[0]
        for row in turn.connection.execute(
            select(training_attempt.c.gold_id).where(
                training_attempt.c.worker_id == turn.worker.id, training_attempt.c.category_id == category_id
            )
        )
    ]
    order = turn.campaign.lot("training", turn.worker.id, category_id, len(tried)).permutation(len(rows))
    chosen = rows[min(order, key=lambda index: tried.count(rows[index].id))]
    x, y = inner_point(Rle((chosen.height, chosen.width), chosen.rle))
    return Plan((Item("gold", chosen.id),), Target(0, x, y))


def inner_point(mask: Rle) -> tuple[float, float]:
    """The middle of a longest run down a column, of several the middle one: a pixel that belongs to it."""
    runs = masks.counts(mask)
    most = max(runs[1::2])
    longest = [index for index in range(1, len(runs), 2) if runs[index] == most]
    longest_run = longest[len(longest) // 2]
    pixel = sum(runs[:longest_run]) + runs[longest_run] // 2
    height = mask.size[0]
    return pixel // height + 0.5, pixel % height + 0.5


def not_asked_for(turn: Turn) -> NoWork:
    """Training is met on the way to segmentation."""
    return NoWork(reason="stage_off" if turn.worker.active else "not_active")


_ATTEMPTS = (
    select(training_attempt.c.passed, training_attempt.c.created_at)
    .join(answer, answer.c.id == training_attempt.c.answer_id)
    .where(
        training_attempt.c.worker_id == bindparam("worker"),
        training_attempt.c.category_id == bindparam("category"),
    )
    .where(answer.c.voided_by.is_(None))
    .order_by(training_attempt.c.id)
)
WORK = StageWork(not_asked_for, task, judge, accept)

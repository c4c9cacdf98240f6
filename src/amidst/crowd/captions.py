"""Captions: five sentences about each image by five workers.

Source: the COCO captions that the thesis's dataset carries; lengths and distances are ours.
"""

from __future__ import annotations

from sqlalchemy import insert, select

from amidst.crowd import free_units, units
from amidst.crowd.bodies import CaptionBody, CaptionTask
from amidst.crowd.context import read_image
from amidst.crowd.plans import Filed, Item, Judgement, Offer, Plan, StageWork, Turn
from amidst.crowd.results import NoWork
from amidst.crowd.schema import answer
from amidst.crowd.schema_chain import caption
from amidst.crowd.validation import caption_text, caption_words, similar
from amidst.errors import AnswerError


def offer(turn: Turn) -> Offer | NoWork:
    """An image that the worker has not described."""
    found = free_units.find(turn.connection, turn.worker, "captions", 1)
    if not found:
        return NoWork(reason="nothing_open")
    return Offer("captions", Plan((Item("image", found[0].ref_id, found[0].id),)))


def task(turn: Turn, plan: Plan) -> CaptionTask:
    """The image."""
    config = turn.campaign.config.captions
    image = read_image(turn.connection, plan.items[0].ref)
    return CaptionTask(image=image, min_words=config.min_words, max_words=config.max_words)


def judge(turn: Turn, plan: Plan, body: CaptionBody) -> Judgement:
    """Not what the worker wrote lately, not what others wrote of the image. Raises AnswerError."""
    config = turn.campaign.config.captions
    words = caption_words(caption_text(body, config))
    counted = select(caption.c.text).join(answer, answer.c.id == caption.c.answer_id)
    of_image = counted.where(caption.c.image_id == plan.items[0].ref, answer.c.voided_by.is_(None))
    own = (
        select(caption.c.text)
        .where(caption.c.worker_id == turn.worker.id)
        .order_by(caption.c.id.desc())
        .limit(config.compare_with)
    )
    for query, whose in ((own, "one of your last captions"), (of_image, "another caption of this image")):
        for (text,) in turn.connection.execute(query):
            if similar(words, caption_words(text)) >= config.similarity:
                raise AnswerError(f"the text is nearly the same as {whose}", rule="caption-similar")
    return Judgement()


def accept(turn: Turn, filed: Filed) -> None:
    """Keeps the text."""
    item = filed.plan.items[0]
    turn.connection.execute(
        insert(caption),
        {
            "image_id": item.ref,
            "answer_id": filed.answer_id,
            "worker_id": turn.worker.id,
            "text": caption_text(filed.body, turn.campaign.config.captions),
        },
    )
    if filed.units.get(item.unit):
        units.decide(turn.connection, item.unit)


WORK = StageWork(offer, task, judge, accept)

"""The doctor on decisions: each follows from its recorded inputs, the last of each subject also from the
rows as they are now, and the subject is in the state that it says. Decisions are read by the thousand, and
states are compared in the database, so that memory does not grow with the campaign.

Numbers of the configuration are taken from the decision, for they may have changed since.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, bindparam, case, exists, func, literal, select

from amidst.crowd import ballot, cells, image_filter, labelling, spotting, training, verdicts
from amidst.crowd.cell_rule import CELL_STEP
from amidst.crowd.context import Campaign, read_campaign, read_image
from amidst.crowd.decisions import about, about_unit, encoded, last_said
from amidst.crowd.faults import Fault
from amidst.crowd.numbers import find_undecided
from amidst.crowd.rules import (
    CATEGORIES_CHOSEN,
    CATEGORIES_PRESENT,
    GATE,
    IMAGE_KEPT,
    MASK_VERDICT,
    POINTS_UNITED,
    REGION_VERDICT,
    Inputs,
    LabellingOutcome,
)
from amidst.crowd.schema import decision, image, qualification, unit
from amidst.crowd.schema_chain import cell, crowd_region, segmentation

RULES = {
    rule.name: rule
    for rule in (
        IMAGE_KEPT,
        CATEGORIES_PRESENT,
        CATEGORIES_CHOSEN,
        POINTS_UNITED,
        CELL_STEP,
        MASK_VERDICT,
        REGION_VERDICT,
        GATE,
    )
}
CHUNK = 1000


def check_decisions(connection: Connection) -> Iterator[Fault]:
    """Replays every decision, draws the last of each subject again, then looks at every subject."""
    campaign = read_campaign(connection)
    after = 0
    while True:
        rows = connection.execute(_DECISIONS, {"after": after}).all()
        if not rows:
            break
        for row in rows:
            yield from _replay(row)
            if row.newest and row.rule in RULES:
                yield from _again(connection, campaign, row)
        after = rows[-1].id
    yield from _states(connection)
    yield from _icons(connection)
    yield from _undecided(connection, campaign)
    for stage, kind, ref_id in find_undecided(connection):
        yield Fault(
            rule="incomplete",
            subject=f"{kind}/{ref_id}",
            problem=f"has all judgements of {stage}, its rule waits for more; saving the settings settles it",
        )


def _replay(row: Row[Any]) -> Iterator[Fault]:
    """Does it follow from its recorded inputs?"""
    rule = RULES.get(row.rule)
    if rule is None:
        yield Fault(rule="decision-rule", subject=row.subject, problem=f"no rule {row.rule!r}")
    elif row.rule_version == rule.version:
        try:
            again = encoded(rule.decide(msgspec.json.decode(row.inputs_json, type=rule.inputs)))
        except msgspec.DecodeError as error:
            again = str(error)
        if again != row.outcome_json:
            yield Fault(
                rule="decision-replay",
                subject=row.subject,
                problem=f"decision {row.id}, {row.rule}: recorded {row.outcome_json}, again {again}",
            )


def _again(connection: Connection, campaign: Campaign, row: Row[Any]) -> Iterator[Fault]:
    """Does it follow from the rows as they are now?"""
    rule = RULES[row.rule]
    try:
        inputs = GATHER[row.rule](connection, campaign, [int(part) for part in row.subject.split("/")[1:]])
    except Exception as error:  # the rows that it needs are gone
        yield Fault(rule="decision-rows", subject=row.subject, problem=f"{row.rule}: {error!r}")
        return
    then = msgspec.json.decode(row.inputs_json, type=rule.inputs)
    numbers = {name: getattr(then, name) for name in rule.numbers}
    now = encoded(rule.decide(msgspec.structs.replace(inputs, **numbers)))
    if now != row.outcome_json:
        yield Fault(
            rule="decision-current",
            subject=row.subject,
            problem=f"{row.rule} says {row.outcome_json}, the rows say {now}",
        )


def _states(connection: Connection) -> Iterator[Fault]:
    """The state of a subject is what its last decision says; without one, what it is born with: an image
    with a unit of the filter is a candidate, with other units kept, else gold.
    """
    own = (unit.c.ref_kind == "image") & (unit.c.ref_id == image.c.id)
    filtered, asked = exists().where(own, unit.c.stage == "image_filter"), exists().where(own)
    pending, spotting_, nothing = literal("pending"), literal("spotting"), literal("nothing")
    gate = (qualification.c.worker_id, qualification.c.category_id)
    for rule, kind, keys, state, born in (
        (MASK_VERDICT, "segmentation", (segmentation.c.id,), segmentation.c.state, pending),
        (REGION_VERDICT, "crowd_region", (crowd_region.c.id,), crowd_region.c.state, pending),
        (CELL_STEP, "cell", (cell.c.id,), cell.c.state, spotting_),
        (
            IMAGE_KEPT,
            "image",
            (image.c.id,),
            image.c.state,
            case((filtered, "candidate"), (asked, "kept"), else_="gold"),
        ),
        (GATE, "gate", gate, qualification.c.state, nothing),
    ):
        said = func.coalesce(
            last_said(rule, about(kind, *keys)), literal('"state":"').concat(born).concat('"')
        )
        decided = said.contains(literal('"state":"').concat(state).concat('"'))
        for *ids, found, outcome in connection.execute(select(*keys, state, said).where(~decided)):
            subject = "/".join(map(str, (kind, *ids)))
            yield Fault(rule="state", subject=subject, problem=f"is {found}, decided is {outcome}")
    said = func.coalesce(last_said(POINTS_UNITED, about("points", cell.c.id)), "")
    many = said.contains('"more_than_10":true')
    for cell_id, found in connection.execute(
        select(cell.c.id, cell.c.more_than_10).where(cell.c.more_than_10 != many)
    ):
        yield Fault(rule="state", subject=f"cell/{cell_id}", problem=f"more_than_10 is {found}")


def _icons(connection: Connection) -> Iterator[Fault]:
    """The cells of an image have their icon where the last decision on a question of the image has it."""
    after = 0
    while True:
        rows = connection.execute(_ICONS, {"after": after}).all()
        if not rows:
            return
        for number, questions in groupby(rows, key=lambda row: int(row.id)):
            said = [(row, _priors(row.outcome).get(row.category_id)) for row in questions if row.outcome]
            decided = [(prior, (row.prior_x, row.prior_y)) for row, prior in said if prior is not None]
            if decided and all(prior != now for prior, now in decided):
                yield Fault(
                    rule="cell-icon", subject=f"cell/{number}", problem="its icon is not the decided one"
                )
        after = rows[-1].id


def _priors(outcome_json: str) -> dict[int, tuple[float, float]]:
    """Of each category the place of its icon; none of an outcome that cannot be read, as `_replay` says."""
    try:
        outcome = msgspec.json.decode(outcome_json, type=LabellingOutcome)
    except msgspec.DecodeError:
        return {}
    return {one.category_id: (one.x, one.y) for one in outcome.present}


def _undecided(connection: Connection, campaign: Campaign) -> Iterator[Fault]:
    """Complete units of which nothing was decided."""
    for rule, stage, kind in (
        (CATEGORIES_PRESENT, "labelling", "image"),
        (POINTS_UNITED, "spotting", "points"),
    ):
        complete = (unit.c.done >= unit.c.needed) & (unit.c.stage == stage)
        subject = about_unit(kind)
        silent = last_said(rule, subject).is_(None)
        for (name,) in connection.execute(select(subject).where(complete, silent)):
            yield Fault(rule="undecided", subject=name, problem=f"is complete without {rule.name}")
    voted = exists().where(
        unit.c.stage == "verification",
        unit.c.ref_kind == "segmentation",
        unit.c.ref_id == segmentation.c.id,
        unit.c.done > 0,
    )
    silent = last_said(MASK_VERDICT, about("segmentation", segmentation.c.id)).is_(None)
    for (mask_id,) in connection.execute(select(segmentation.c.id).where(voted, silent)).all():
        rule, inputs = verdicts.gather(connection, campaign, "segmentation", mask_id)
        if rule.decide(inputs) != verdicts.untouched(rule, inputs):
            yield Fault(
                rule="undecided",
                subject=f"segmentation/{mask_id}",
                problem="its votes decide, nothing is written",
            )


_later = decision.alias("later")
_DECISIONS = (
    select(
        decision,
        ~exists()
        .where(_later.c.subject == decision.c.subject, _later.c.rule == decision.c.rule)
        .where(_later.c.id > decision.c.id)
        .label("newest"),
    )
    .where(decision.c.id > bindparam("after"))
    .order_by(decision.c.id)
    .limit(CHUNK)
)
_some = select(cell).where(cell.c.id > bindparam("after")).order_by(cell.c.id).limit(CHUNK).subquery("some")
_ICONS = (
    select(
        _some.c.id,
        _some.c.category_id,
        _some.c.prior_x,
        _some.c.prior_y,
        last_said(CATEGORIES_PRESENT, about_unit("image")).label("outcome"),
    )
    .outerjoin(
        unit,
        (unit.c.ref_kind == "image") & (unit.c.ref_id == _some.c.image_id) & (unit.c.stage == "labelling"),
    )
    .order_by(_some.c.id)
)

Gather = Callable[[Connection, Campaign, list[int]], Inputs]

GATHER: dict[str, Gather] = {
    IMAGE_KEPT.name: lambda c, campaign, ids: image_filter.gather(c, campaign, ids[0]),
    CATEGORIES_PRESENT.name: lambda c, campaign, ids: labelling.gather(
        c, campaign, read_image(c, ids[0]), *ids[1:]
    ),
    CATEGORIES_CHOSEN.name: lambda c, campaign, _: ballot.gather(c, campaign),
    POINTS_UNITED.name: lambda c, campaign, ids: spotting.gather(c, campaign, ids[0]),
    CELL_STEP.name: lambda c, campaign, ids: cells.gather(c, campaign, ids[0]),
    MASK_VERDICT.name: lambda c, campaign, ids: verdicts.gather(c, campaign, "segmentation", ids[0])[1],
    REGION_VERDICT.name: lambda c, campaign, ids: verdicts.gather(c, campaign, "crowd_region", ids[0])[1],
    GATE.name: lambda c, campaign, ids: training.gather(c, campaign, ids[0], ids[1]),
}

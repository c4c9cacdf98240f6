"""The doctor on decisions: each follows from its recorded inputs, the last of each subject also from the
rows as they are now, and the subject is in the state that it says.

Numbers of the configuration are taken from the decision, for they may have changed since.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator

import msgspec
from sqlalchemy import Connection, case, exists, select

from amidst.crowd import ballot, cells, image_filter, labelling, spotting, training, verdicts
from amidst.crowd.cell_rule import CELL_STEP
from amidst.crowd.context import Campaign, read_campaign, read_image
from amidst.crowd.decisions import encoded
from amidst.crowd.faults import Fault
from amidst.crowd.numbers import undecided as complete_undecided
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
    """Replays every decision, then looks at every subject."""
    campaign = read_campaign(connection)
    last: dict[tuple[str, str], tuple[str, str]] = {}
    yield from _replay(connection, last)
    for (rule_name, subject), (inputs_json, outcome_json) in sorted(last.items()):
        rule = RULES.get(rule_name)
        if rule is None:
            continue
        try:
            inputs = GATHER[rule_name](connection, campaign, [int(part) for part in subject.split("/")[1:]])
        except Exception as error:  # the rows that it needs are gone
            yield Fault(rule="decision-rows", subject=subject, problem=f"{rule_name}: {error!r}")
            continue
        then = msgspec.json.decode(inputs_json, type=rule.inputs)
        numbers = {name: getattr(then, name) for name in rule.numbers}
        now = encoded(rule.decide(msgspec.structs.replace(inputs, **numbers)))
        if now != outcome_json:
            yield Fault(
                rule="decision-current",
                subject=subject,
                problem=f"{rule_name} says {outcome_json}, the rows say {now}",
            )
    yield from _states(connection, last)
    yield from _undecided(connection, campaign, last)
    for stage, kind, ref_id in complete_undecided(connection):
        yield Fault(
            rule="incomplete",
            subject=f"{kind}/{ref_id}",
            problem=f"has all judgements of {stage}, its rule waits for more; saving the settings settles it",
        )


def _replay(connection: Connection, last: dict[tuple[str, str], tuple[str, str]]) -> Iterator[Fault]:
    after = 0
    while True:
        rows = connection.execute(
            select(decision).where(decision.c.id > after).order_by(decision.c.id).limit(CHUNK)
        ).all()
        for row in rows:
            last[row.rule, row.subject] = (row.inputs_json, row.outcome_json)
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
        if len(rows) < CHUNK:
            return
        after = rows[-1].id


def _states(connection: Connection, last: dict[tuple[str, str], tuple[str, str]]) -> Iterator[Fault]:
    """The state of a subject is what its last decision says; without one, what it is born with."""
    for rule, kind, table, born in (
        (MASK_VERDICT, "segmentation", segmentation, "pending"),
        (REGION_VERDICT, "crowd_region", crowd_region, "pending"),
        (CELL_STEP, "cell", cell, "spotting"),
    ):
        for row_id, state in connection.execute(select(table.c.id, table.c.state).order_by(table.c.id)):
            found = last.get((rule.name, f"{kind}/{row_id}"))
            said = msgspec.json.decode(found[1])["state"] if found else born
            if state != said:
                yield Fault(
                    rule="state", subject=f"{kind}/{row_id}", problem=f"is {state}, decided is {said}"
                )
    for row in connection.execute(select(cell.c.id, cell.c.more_than_10)):
        found = last.get((POINTS_UNITED.name, f"points/{row[0]}"))
        if row[1] != (found is not None and msgspec.json.decode(found[1])["more_than_10"]):
            yield Fault(rule="state", subject=f"cell/{row[0]}", problem=f"more_than_10 is {row[1]}")
    yield from _images(connection, last)
    for row in connection.execute(select(qualification)):
        subject = f"gate/{row.worker_id}/{row.category_id}"
        found = last.get((GATE.name, subject))
        if not found or msgspec.json.decode(found[1])["state"] != row.state:
            yield Fault(rule="state", subject=subject, problem=f"is {row.state}, decided is otherwise")


def _images(connection: Connection, last: dict[tuple[str, str], tuple[str, str]]) -> Iterator[Fault]:
    """Without a decision an image with a unit of the filter is a candidate, with other units kept, else gold;
    the cells of an image have their icon where its last decision has it.
    """
    own = (unit.c.ref_kind == "image") & (unit.c.ref_id == image.c.id)
    filtered, asked = exists().where(own, unit.c.stage == "image_filter"), exists().where(own)
    born = case((filtered, "candidate"), (asked, "kept"), else_="gold")
    for image_id, state, added in connection.execute(select(image.c.id, image.c.state, born)):
        found = last.get((IMAGE_KEPT.name, f"image/{image_id}"))
        said = msgspec.json.decode(found[1])["state"] if found else added
        if state != said:
            yield Fault(rule="state", subject=f"image/{image_id}", problem=f"is {state}, decided is {said}")
    icons: defaultdict[int, list[dict[int, tuple[float, float]]]] = defaultdict(list)
    for (rule, subject), (_, outcome_json) in last.items():
        if rule == CATEGORIES_PRESENT.name:  # of each question of the image
            icons[int(subject.split("/")[1])].append(_icons(outcome_json))
    for row in connection.execute(select(cell).order_by(cell.c.image_id)):
        decided = [one[row.category_id] for one in icons[row.image_id] if row.category_id in one]
        if decided and (row.prior_x, row.prior_y) not in decided:
            yield Fault(rule="cell-icon", subject=f"cell/{row.id}", problem="its icon is not the decided one")


def _icons(outcome_json: str) -> dict[int, tuple[float, float]]:
    """Of each category the place of its icon; none of an outcome that cannot be read, as `_replay` says."""
    try:
        outcome = msgspec.json.decode(outcome_json, type=LabellingOutcome)
    except msgspec.DecodeError:
        return {}
    return {one.category_id: (one.x, one.y) for one in outcome.present}


def _undecided(
    connection: Connection, campaign: Campaign, last: dict[tuple[str, str], tuple[str, str]]
) -> Iterator[Fault]:
    """Complete units of which nothing was decided."""
    complete = (unit.c.done >= unit.c.needed) & unit.c.stage.in_(("labelling", "spotting"))
    for row in connection.execute(select(unit.c.stage, unit.c.ref_id, unit.c.question).where(complete)):
        labels = row.stage == "labelling"
        rule = CATEGORIES_PRESENT if labels else POINTS_UNITED
        about = labelling.subject(row.ref_id, row.question) if labels else f"points/{row.ref_id}"
        if (rule.name, about) not in last:
            yield Fault(rule="undecided", subject=about, problem=f"is complete without {rule.name}")
    voted = exists().where(
        unit.c.stage == "verification",
        unit.c.ref_kind == "segmentation",
        unit.c.ref_id == segmentation.c.id,
        unit.c.done > 0,
    )
    for (mask_id,) in connection.execute(select(segmentation.c.id).where(voted)):
        if (MASK_VERDICT.name, f"segmentation/{mask_id}") in last:
            continue
        rule, inputs = verdicts.gather(connection, campaign, "segmentation", mask_id)
        if rule.decide(inputs) != verdicts.untouched(rule, inputs):
            yield Fault(
                rule="undecided",
                subject=f"segmentation/{mask_id}",
                problem="its votes decide, nothing is written",
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

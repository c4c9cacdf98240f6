"""A running campaign after a change of its numbers: how many judgements each open unit should get.

Rules ask for as many judgements as their unit does, so the two never part. What was decided stays decided;
what is open is brought to the new number, never below the judgements that are under way, and what has all
of them thereby is settled.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, case, exists, literal, or_, select, update

from amidst.crowd import ballot, units, unsettled
from amidst.crowd.campaigns import encode_config
from amidst.crowd.config import CampaignConfig
from amidst.crowd.config_check import check_config
from amidst.crowd.context import Campaign, read_campaign
from amidst.crowd.decisions import about_unit, last_said
from amidst.crowd.rules import CATEGORIES_CHOSEN, CATEGORIES_PRESENT, POINTS_UNITED, Rule
from amidst.crowd.schema import campaign as campaign_table
from amidst.crowd.schema import image, unit
from amidst.crowd.schema_chain import crowd_region, mask_vote, segmentation

Subject = tuple[str, str, int]  # stage, ref_kind and ref_id of a unit


def change_config(connection: Connection, config: CampaignConfig, now: int) -> None:
    """Replaces the numbers, brings open units to them in both directions, and lists what is complete thereby.

    Decisions that were drawn keep their numbers until their subject is settled again. Raises ConfigError for
    numbers that make no sense, UsageError for those by which an open vote could not choose.
    """
    check_config(config)
    before = read_campaign(connection).config
    connection.execute(update(campaign_table).values(config_json=encode_config(config)))
    changed = read_campaign(connection)
    ballot.check_possible(connection, changed)
    _bring(connection, before, changed, now)


def _bring(connection: Connection, before: CampaignConfig, campaign: Campaign, now: int) -> None:
    config = campaign.config
    for stage, needed in (
        ("category_votes", config.category_votes.voters),
        ("image_filter", config.image_filter.workers),
        ("labelling", config.labelling.workers),
        ("spotting", config.spotting.workers),
        ("captions", config.captions.workers),
    ):
        of_stage = unit.c.stage == stage
        _ask(connection, of_stage & (unit.c.state == "open"), literal(needed))
        # what was called off may come back; one that has enough already is complete as it stands
        _ask(connection, of_stage & (unit.c.state == "cancelled") & (unit.c.taken < needed), literal(needed))
    _ask_votes(connection, config)
    concerned = undecided()
    if config.image_filter != before.image_filter:
        concerned |= _judged("image_filter")
    if (config.verification, config.crowd_regions) != (before.verification, before.crowd_regions):
        concerned |= _judged("verification")
    choose = _subjects(concerned & (unit.c.stage == "category_votes"))
    chosen = connection.execute(choose).first() is not None
    unsettled.enlist(connection, _subjects(concerned & (unit.c.stage != "category_votes")))
    units.close_all_complete(connection)
    if chosen:
        ballot.settle(connection, campaign, now)


def find_undecided(connection: Connection) -> list[Subject]:
    """Units that have all their judgements, while the rule that waits for them has not come to its end."""
    return [(row[0], row[1], row[2]) for row in connection.execute(_subjects(undecided()))]


def undecided() -> ColumnElement[bool]:
    """The same as a part of a statement."""
    complete = unit.c.state.in_(("open", "decided")) & (unit.c.done >= unit.c.needed) & (unit.c.needed > 0)
    waiting = or_(
        (unit.c.stage == "category_votes") & _unfinished(CATEGORIES_CHOSEN, "campaign"),
        (unit.c.stage == "labelling") & _unfinished(CATEGORIES_PRESENT, "image"),
        (unit.c.stage == "spotting") & _unfinished(POINTS_UNITED, "points"),
        (unit.c.stage == "image_filter")
        & exists().where(image.c.id == unit.c.ref_id, image.c.state == "candidate"),
        *(
            and_(
                unit.c.stage == "verification",
                unit.c.ref_kind == kind,
                exists().where(table.c.id == unit.c.ref_id, table.c.state == "pending"),
            )
            for kind, table in (("segmentation", segmentation), ("crowd_region", crowd_region))
        ),
    )
    return complete & waiting


def _judged(stage: str) -> ColumnElement[bool]:
    """Open units with a judgement, of a stage whose rule may end before all are there."""
    return (unit.c.stage == stage) & (unit.c.state == "open") & (unit.c.done > 0)


def _subjects(wanted: ColumnElement[bool]) -> Select[Any]:
    return select(unit.c.stage, unit.c.ref_kind, unit.c.ref_id).where(wanted).order_by(_PLACE, unit.c.id)


def _unfinished(rule: Rule, kind: str) -> ColumnElement[bool]:
    """Whether the last decision on a unit's subject says that answers are lacking, or there is none."""
    said = last_said(rule, about_unit(kind))
    return or_(said.is_(None), said.contains('"complete":false'))


def _ask(connection: Connection, wanted: ColumnElement[bool], needed: ColumnElement[int]) -> None:
    """Sets how many judgements units should get, never fewer than are under way."""
    least = units.at_least_taken(connection, needed)
    connection.execute(update(unit).where(wanted, unit.c.needed != least).values(needed=least))


def _ask_votes(connection: Connection, config: CampaignConfig) -> None:
    """The votes of open masks and regions, as `rules.judge_mask` and `judge_region` ask for them."""
    judging = (unit.c.stage == "verification") & (unit.c.state == "open")
    first, more = config.verification.votes, config.verification.more_votes
    bad = exists().where(mask_vote.c.unit_id == unit.c.id, ~mask_vote.c.good)
    _ask(
        connection,
        judging & (unit.c.ref_kind == "segmentation"),
        case(((unit.c.done >= first) & bad, first + more), else_=first),
    )
    _ask(connection, judging & (unit.c.ref_kind == "crowd_region"), literal(config.crowd_regions.votes))


_CHAIN = ("image_filter", "labelling", "spotting", "verification")
_PLACE = case({stage: place for place, stage in enumerate(_CHAIN)}, value=unit.c.stage, else_=len(_CHAIN))

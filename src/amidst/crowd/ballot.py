"""Category votes: every voter scores every candidate, blind to the others; then the categories are chosen.

Source: section 2.3 of the thesis; `curation.selection` chooses.
"""

from __future__ import annotations

from sqlalchemy import Connection, insert, select

from amidst.crowd import free_units, units
from amidst.crowd.bodies import BallotBody, BallotTask, CandidateRef
from amidst.crowd.context import Campaign
from amidst.crowd.decisions import record
from amidst.crowd.plans import Filed, Item, Judgement, Offer, Plan, StageWork, Turn
from amidst.crowd.results import NoWork
from amidst.crowd.rules import CATEGORIES_CHOSEN, ProposalRow, SelectionInputs, select_among
from amidst.crowd.schema import answer, category_candidate, unit
from amidst.crowd.schema_chain import category_vote
from amidst.crowd.validation import check_ballot


def offer(turn: Turn) -> Offer | NoWork:
    """The ballot, once for each voter."""
    found = free_units.find(turn.connection, turn.worker, "category_votes", 1)
    if not found:
        return NoWork(reason="nothing_open")
    return Offer("category_votes", Plan((Item("campaign", 1, found[0].id),)))


def task(turn: Turn, plan: Plan) -> BallotTask:
    """All candidates, in an order drawn by lot for each voter."""
    rows = turn.connection.execute(
        select(
            category_candidate.c.id, category_candidate.c.name, category_candidate.c.supercategory
        ).order_by(category_candidate.c.id)
    ).all()
    order = turn.campaign.lot("ballot", turn.worker.id, plan.items[0].unit).permutation(len(rows))
    candidates = [CandidateRef(id=row[0], name=row[1], supercategory=row[2]) for row in rows]
    return BallotTask(candidates=tuple(candidates[index] for index in order))


def judge(turn: Turn, _plan: Plan, body: BallotBody) -> Judgement:
    """Raises AnswerError."""
    check_ballot(body, {row[0] for row in turn.connection.execute(select(category_candidate.c.id))})
    return Judgement()


def accept(turn: Turn, filed: Filed) -> None:
    """Keeps the scores; after the last voter the categories are chosen."""
    turn.connection.execute(
        insert(category_vote),
        [
            {
                "candidate_id": score.candidate,
                "answer_id": filed.answer_id,
                "score": score.score,
                "comment": score.comment,
            }
            for score in filed.body.scores
        ],
    )
    if filed.units.get(filed.plan.items[0].unit):
        units.decide(turn.connection, filed.plan.items[0].unit)
        settle(turn.connection, turn.campaign, turn.now)


def settle(connection: Connection, campaign: Campaign, now: int) -> None:
    """Chooses the categories. Raises UsageError if the mandatory ones are more than the target."""
    record(connection, CATEGORIES_CHOSEN, "campaign/1", gather(connection, campaign), now)


def gather(connection: Connection, campaign: Campaign) -> SelectionInputs:
    """The candidates, and the votes that count."""
    votes = connection.execute(
        select(answer.c.worker_id, category_candidate.c.name, category_vote.c.score)
        .join(answer, answer.c.id == category_vote.c.answer_id)
        .join(category_candidate, category_candidate.c.id == category_vote.c.candidate_id)
        .where(answer.c.voided_by.is_(None))
        .order_by(category_vote.c.id)
    ).all()
    rows = connection.execute(select(category_candidate).order_by(category_candidate.c.id))
    config = campaign.config.category_votes
    return SelectionInputs(
        proposals=tuple(
            ProposalRow(row.name, row.supercategory, row.mandatory, not row.not_a_thing, row.instances)
            for row in rows
        ),
        votes=tuple((str(row[0]), row[1], row[2]) for row in votes),
        voters=units.needed(connection, "category_votes", "campaign", 1) or config.voters,
        ballots=len({row[0] for row in votes}),
        target=config.target,
        more_instances_than=config.more_instances_than,
        least=config.least,
        most=config.most,
    )


def check_possible(connection: Connection, campaign: Campaign) -> None:
    """Raises UsageError where no vote could choose as the numbers ask, while the last voter is not there."""
    inputs = gather(connection, campaign)
    if inputs.proposals and not _is_done(connection):
        select_among(inputs, [])


def _is_done(connection: Connection) -> bool:
    work = unit.c.stage == "category_votes"
    return connection.execute(select(unit.c.state).where(work)).scalar() == "decided"


WORK = StageWork(offer, task, judge, accept)

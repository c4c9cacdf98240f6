"""What applications call: one coroutine per service, each one transaction of the store.

Times are UTC microseconds and arguments. Tokens are made by `new_token`, which a simulation may replace.
Errors and outcomes: docs/crowd.md.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Sequence
from typing import Any, Literal

import msgspec

from amidst.coco.records import Rle
from amidst.crowd import ballot as votes
from amidst.crowd import campaigns, decisions, free_units, golds, leases, numbers, submits, voids
from amidst.crowd import categories as kinds
from amidst.crowd.activity import ActivityHour
from amidst.crowd.activity import activity as read_activity
from amidst.crowd.bodies import Client, Panel, Task
from amidst.crowd.campaigns import NewImage, WorkerRecord
from amidst.crowd.categories import CategoryRecord, NewCategory
from amidst.crowd.config import CampaignConfig, Stage
from amidst.crowd.context import read_both, read_campaign
from amidst.crowd.decisions import DecisionRecord
from amidst.crowd.doctor import examine
from amidst.crowd.export import Export
from amidst.crowd.export import export as read_export
from amidst.crowd.faults import Fault
from amidst.crowd.golds import DecidedMask, GoldRecord, NewKnown
from amidst.crowd.lacking import Lack
from amidst.crowd.lacking import lacking as find_lacking
from amidst.crowd.late import LateAnswer
from amidst.crowd.late import late_answers as read_late_answers
from amidst.crowd.outlook import Outlook
from amidst.crowd.outlook import outlook as read_outlook
from amidst.crowd.portfolio import ShownAnswer
from amidst.crowd.portfolio import answers_of as answers_of_worker
from amidst.crowd.progress import Progress
from amidst.crowd.progress import progress as read_progress
from amidst.crowd.quality import RejectionLine
from amidst.crowd.results import Conflict, Draft, HeldTicket, NoWork, Receipt, Ticket
from amidst.crowd.roster import Roster, read_roster
from amidst.crowd.rules import SelectionInputs, SelectionOutcome, choose_categories
from amidst.crowd.stage_metrics import StageMetrics
from amidst.crowd.stage_metrics import stage_metrics as read_stage_metrics
from amidst.crowd.store import Store
from amidst.crowd.unsettled import change
from amidst.crowd.validation import MAX_BYTES_DRAWN, prepare_drawing
from amidst.crowd.voids import VoidEffect, VoidRecord
from amidst.curation.selection import Proposal

LARGE_DRAWING = 4000  # bytes
LATEST = 2**53 - 1  # above every id


def new_token() -> str:
    """192 random bits for a ticket."""
    return secrets.token_urlsafe(24)


# --- the campaign -----------------------------------------------------------------------------------------


async def create_campaign(store: Store, config: CampaignConfig, now: int, *, secret: str) -> None:
    """Makes the campaign. secret: random, draws the places of known items."""
    await store.write(lambda c: campaigns.create_campaign(c, config, now, secret))


async def has_campaign(store: Store) -> bool:
    """Whether a campaign was made in this database."""
    return await store.read(campaigns.exists)


async def campaign_config(store: Store) -> CampaignConfig:
    """The numbers in force."""
    return await store.read(lambda c: read_campaign(c).config)


async def change_config(store: Store, config: CampaignConfig, now: int) -> None:
    """Replaces them; open work asks for the new number of judgements."""
    await change(store, lambda c: numbers.change_config(c, config, now), now)


async def change_state(store: Store, state: Literal["open", "paused"]) -> None:
    """Stops or continues the handing out of work."""
    await store.write(lambda c: campaigns.change_state(c, state))


async def add_categories(store: Store, categories: Sequence[NewCategory], now: int = 0) -> int:
    """Adds categories to the panels; images whose labelling has begun are asked about them: how many."""
    return await store.write(lambda c: kinds.add(c, categories, now))


async def categories(store: Store) -> tuple[Panel, ...]:
    """The active categories, by supercategory."""
    return await store.read(lambda c: read_campaign(c).panels)


async def list_categories(store: Store) -> list[CategoryRecord]:
    """All categories, retired ones too, with what there is of each."""
    return await store.read(kinds.every)


async def retire_category(store: Store, category_id: int, now: int) -> None:
    """Takes a category out of panels, work and export; what was said of it stays."""
    await change(store, lambda c: kinds.retire(c, category_id, now), now)


async def restore_category(store: Store, category_id: int, now: int) -> int:
    """Takes it up again; images that were labelled without it are asked about it: how many."""
    return await change(store, lambda c: kinds.restore(c, category_id, now), now)


async def add_candidates(store: Store, proposals: Sequence[Proposal], now: int) -> None:
    """Opens the ballot on candidate categories."""
    await store.write(lambda c: campaigns.add_candidates(c, proposals, now))


async def ballot(store: Store) -> tuple[SelectionInputs, SelectionOutcome]:
    """The votes on categories, and what they come to."""
    inputs = await store.read(lambda c: votes.gather(c, read_campaign(c)))
    return inputs, choose_categories(inputs)


async def add_images(
    store: Store,
    images: Sequence[NewImage],
    now: int,
    *,
    state: Literal["kept", "candidate", "gold"] = "kept",
) -> list[int]:
    """Adds images and opens their work; their ids."""
    return await store.write(lambda c: campaigns.add_images(c, images, now, state))


async def add_worker(store: Store, display: str, now: int, *, expert: bool = False) -> int:
    """A new worker; the id."""
    return await store.write(lambda c: campaigns.add_worker(c, display, now, expert=expert))


async def change_worker(
    store: Store,
    worker_id: int,
    *,
    state: Literal["active", "paused", "banned"] | None = None,
    expert: bool | None = None,
    note: str | None = None,
) -> None:
    """Changes what is given."""
    await store.write(lambda c: campaigns.change_worker(c, worker_id, state=state, expert=expert, note=note))


async def read_worker(store: Store, worker_id: int) -> WorkerRecord:
    """A worker of the campaign."""
    return await store.read(lambda c: campaigns.read_worker(c, worker_id))


# --- work -------------------------------------------------------------------------------------------------


async def lease(
    store: Store, worker_id: int, stage: Stage, now: int, *, token: Callable[[], str] = new_token
) -> Ticket | NoWork:
    """One ticket of a stage; call again to fetch ahead."""
    secret = token()
    return await store.write(lambda c: leases.lease(c, worker_id, stage, now, secret))


async def resume(
    store: Store, worker_id: int, ticket_id: int, now: int, *, token: Callable[[], str] = new_token
) -> Ticket | Conflict:
    """A ticket that is out, under a new token."""
    secret = token()
    return await store.write(lambda c: leases.resume(c, worker_id, ticket_id, now, secret))


async def open_stages(store: Store, worker_id: int) -> list[str]:
    """The stages that hold work for somebody like this worker."""
    return await store.read(lambda c: free_units.open_stages(c, read_both(c, worker_id)[1]))


async def held(store: Store, worker_id: int) -> list[HeldTicket]:
    """Tickets that a worker has out."""
    return await store.read(lambda c: leases.held(c, worker_id))


async def submit(
    store: Store,
    worker_id: int,
    ticket_id: int,
    token: str,
    idem_key: str,
    body: bytes | object,
    client: Client,
    now: int,
) -> Receipt | Conflict:
    """Stores an answer exactly once. body: JSON as bytes, or the value that it stands for."""
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body, order="sorted")
    if LARGE_DRAWING < len(raw) <= MAX_BYTES_DRAWN:  # keep long arithmetic out of the transaction
        await asyncio.to_thread(prepare_drawing, raw)
    return await store.write(
        lambda c: submits.submit(c, worker_id, ticket_id, token, idem_key, raw, client, now)
    )


async def late_answers(
    store: Store, worker_id: int | None = None, *, before: int = LATEST, limit: int = 100
) -> list[LateAnswer]:
    """Answers that came too late, newest first, of one worker or of all."""
    return await store.read(lambda c: read_late_answers(c, worker_id, before, limit))


async def use_late(store: Store, orphan_id: int, now: int) -> Receipt:
    """Makes a late answer count where a place is free again; once."""
    return await store.write(lambda c: submits.use_late(c, orphan_id, now))


async def heartbeat(store: Store, worker_id: int, ticket_id: int, token: str, now: int) -> int | Conflict:
    """Renews a lease; the new expiry."""
    return await store.write(lambda c: leases.heartbeat(c, worker_id, ticket_id, token, now))


async def release(store: Store, worker_id: int, ticket_id: int, token: str) -> bool | Conflict:
    """Gives a ticket back."""
    return await store.write(lambda c: leases.release(c, worker_id, ticket_id, token))


async def save_draft(
    store: Store, worker_id: int, ticket_id: int, token: str, rev: int, body: Any, now: int
) -> int | Conflict:
    """Keeps unfinished work; the revision that is stored."""
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return await store.write(lambda c: leases.save_draft(c, worker_id, ticket_id, token, rev, raw, now))


async def load_draft(store: Store, worker_id: int, ticket_id: int) -> Draft | None:
    """Unfinished work of a ticket."""
    return await store.read(lambda c: leases.load_draft(c, worker_id, ticket_id))


async def ticket_task(store: Store, worker_id: int, ticket_id: int, token: str, now: int) -> Task | Conflict:
    """What a live ticket asks for."""
    return await store.read(lambda c: leases.ticket_task(c, worker_id, ticket_id, token, now))


async def sweep(store: Store, now: int) -> int:
    """Expires tickets whose time has come; how many."""
    total = 0
    while (number := await store.write(lambda c: leases.sweep(c, now))) > 0:
        total += number
    return total


# --- known items ------------------------------------------------------------------------------------------


async def add_gold_mask(
    store: Store, image_id: int, category_id: int, rle: Rle, *, source: str = "", spoil: bool = True
) -> list[int]:
    """A true mask for training and grids, and spoiled ones; ids, that of training first."""
    return await store.write(lambda c: golds.add_mask(c, image_id, category_id, rle, source, spoil))


async def add_known(store: Store, known: Sequence[NewKnown], now: int) -> int:
    """Photographs with true masks, all or none; the number of masks."""
    return await store.write(lambda c: golds.add_known(c, known, now))


async def lacking(store: Store) -> tuple[Lack, ...]:
    """Stages that wait for known items."""
    return await store.read(find_lacking)


async def add_gold_image(store: Store, image_id: int, now: int, *, iconic: bool) -> int:
    """A known image of the filter, which decides about it too."""
    return await store.write(lambda c: golds.add_image(c, image_id, now, iconic=iconic))


async def retire_gold(store: Store, gold_id: int) -> None:
    """Takes a known item out of future tickets."""
    await store.write(lambda c: golds.retire(c, gold_id))


async def add_decided_gold(store: Store, mask_id: int, *, spoil: bool = True) -> list[int]:
    """A known item of a mask that verification has decided."""
    return await store.write(lambda c: golds.add_decided(c, mask_id, spoil))


async def list_golds(
    store: Store, *, kind: str | None = None, state: str | None = None, after: int = 0, limit: int = 1000
) -> list[GoldRecord]:
    """Known items, page by page."""
    return await store.read(lambda c: golds.every(c, kind=kind, state=state, after=after, limit=limit))


async def decided_masks(
    store: Store, state: str, *, category_id: int | None = None, before: int = LATEST, limit: int = 100
) -> list[DecidedMask]:
    """Masks that are "accepted" or "discarded", newest first."""
    return await store.read(
        lambda c: golds.decided_masks(c, state=state, category_id=category_id, before=before, limit=limit)
    )


# --- taking work out --------------------------------------------------------------------------------------


async def preview_void(store: Store, worker_id: int, stage: Stage | None) -> VoidEffect:
    """What a void would do; nothing is changed."""
    return await store.read(lambda c: voids.preview(c, worker_id, stage))


async def void(
    store: Store, worker_id: int, stage: Stage | None, reason: str, by: str, now: int
) -> VoidEffect:
    """Takes a worker's answers out of all decisions, of one stage or of all."""
    return await change(store, lambda c: voids.apply(c, worker_id, stage, reason, by, now), now)


async def revert_void(store: Store, void_id: int, now: int) -> VoidEffect:
    """Brings them back."""
    return await change(store, lambda c: voids.revert(c, void_id, now), now)


async def list_voids(store: Store, *, before: int = LATEST, limit: int = 100) -> list[VoidRecord]:
    """Voids, newest first."""
    return await store.read(lambda c: voids.every(c, before, limit))


# --- looking ----------------------------------------------------------------------------------------------


async def progress(store: Store) -> Progress:
    """Stages and workers."""
    return await store.read(read_progress)


async def outlook(store: Store) -> Outlook:
    """What is left to do, in judgements, hours and money."""
    return await store.read(read_outlook)


async def activity(store: Store, since: int) -> list[ActivityHour]:
    """Answers by hour and stage."""
    return await store.read(lambda c: read_activity(c, since))


async def roster(store: Store, line: RejectionLine | None = None) -> Roster:
    """Everybody's figures and flags. Takes a second or more in a large campaign."""
    return await store.read(lambda c: read_roster(c, line))


async def stage_metrics(store: Store) -> StageMetrics:
    """What training, drawing, spotting and captions are like."""
    return await store.read(read_stage_metrics)


async def answers_of(
    store: Store,
    worker_id: int,
    now: int,
    *,
    stage: Stage | None = None,
    before: int = LATEST,
    limit: int = 20,
) -> list[ShownAnswer]:
    """One worker's answers with what was shown, newest first."""
    return await store.read(
        lambda c: answers_of_worker(c, worker_id, now, stage=stage, before=before, limit=limit)
    )


async def latest_decisions(
    store: Store, *, rule: str | None = None, before: int = LATEST, limit: int = 100
) -> list[DecisionRecord]:
    """Automatic steps, newest first."""
    return await store.read(lambda c: decisions.latest(c, rule, before, limit))


async def list_decisions(store: Store, subject: str) -> list[DecisionRecord]:
    """Why something is as it is; subject: "cell/7"."""
    return await store.read(lambda c: decisions.of_subject(c, subject))


async def doctor(store: Store) -> list[Fault]:
    """Broken invariants and decisions that do not follow; empty if all is well."""
    return await store.read(examine)


async def export(store: Store) -> Export:
    """The dataset as it stands."""
    return await store.read(read_export)

"""The tables of a campaign; one database holds one campaign.

Integer keys; times are UTC microseconds; JSON as text; nothing is deleted, states change. Tables marked (+)
are only appended to. The same schema serves SQLite and PostgreSQL.

A unit is a thing to judge, `needed` times by different people. A slot is one judgement of it by one person;
its row is made when it is leased, so a campaign of ten million judgements starts with none. `taken` counts
the slots in use (leased or submitted), `done` the submitted ones; the database refuses taken > needed.

Literal states in the partial indexes have to stand literally in the statements that should use them: see
FREE_UNIT and LIVE_SLOT.
"""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, Table, Text, UniqueConstraint, text

from amidst.store.columns import (
    Key,
    flag_column,
    int_column,
    key_column,
    link,
    new_metadata,
    real_column,
    text_column,
)

metadata = new_metadata()

FREE_UNIT = "unit.state = 'open' AND unit.taken < unit.needed"
LIVE_SLOT = "slot.state IN ('leased', 'submitted')"


# secret draws the places of known items in grids; it never leaves the database. catalogue_json repeats the
# active categories as tasks show them, so that a lease reads one row.
campaign = Table(
    "campaign",
    metadata,
    key_column(),
    text_column("config_json"),
    text_column("catalogue_json", "[]"),
    text_column("state", "open"),  # open | paused
    text_column("secret"),
    int_column("created_at"),
)

supercategory = Table(
    "supercategory",
    metadata,
    key_column(),
    Column("name", Text, nullable=False, unique=True),
    int_column("ordinal"),
)

# id is the id of the COCO file: given by the owner, kept for ever.
category = Table(
    "category",
    metadata,
    Column("id", Key, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False, unique=True),
    link("supercategory_id", "supercategory"),
    text_column("icon", ""),
    text_column("definition", ""),
    text_column("state", "active"),  # active | retired
    int_column("changed_at", 0),  # when it was last retired or taken up again
)

# (+) categories that are asked about in questions of their own, of images whose labelling began without them
question = Table(
    "question",
    metadata,
    key_column(),
    text_column("categories_json"),
    int_column("created_at"),
)

category_candidate = Table(
    "category_candidate",
    metadata,
    key_column(),
    Column("name", Text, nullable=False, unique=True),
    text_column("supercategory", ""),
    flag_column("mandatory"),
    flag_column("not_a_thing"),
    int_column("instances", null=True),
)

# state: candidate (in the filter) | kept | removed | gold (only known to the engine, never released)
image = Table(
    "image",
    metadata,
    key_column(),
    Column("file_name", Text, nullable=False, unique=True),
    Column("sha256", Text, index=True),
    int_column("width"),
    int_column("height"),
    text_column("licence", ""),
    text_column("photographer", ""),
    text_column("taken_on", ""),
    text_column("source", ""),
    text_column("state", "kept"),
)

worker = Table(
    "worker",
    metadata,
    key_column(),
    text_column("display", ""),
    text_column("state", "active"),  # active | paused | banned
    text_column("note", ""),
    flag_column("expert"),  # draws what others could not; needs no gate; its work is truth
    int_column("created_at"),
)

# state: open | decided | cancelled. author_id: the one who must not judge it. question: of labelling, the row
# of `question` that says which categories it asks about; 0: all that no other unit of the image asks about.
unit = Table(
    "unit",
    metadata,
    key_column(),
    text_column("stage"),
    text_column("ref_kind"),  # campaign | image | cell | segmentation | crowd_region
    Column("ref_id", Key, nullable=False),
    Column("category_id", Key),
    Column("author_id", Key),
    flag_column("expert_only"),
    int_column("question", 0),
    int_column("needed"),
    int_column("taken", 0),
    int_column("done", 0),
    text_column("state", "open"),
    int_column("created_at"),
    CheckConstraint("taken >= 0 AND done >= 0 AND done <= taken AND taken <= needed", name="places"),
    Index("ix_unit_ref", "ref_kind", "ref_id"),
    Index("ix_unit_free", "stage", "id", sqlite_where=text(FREE_UNIT), postgresql_where=text(FREE_UNIT)),
    Index(
        "ix_unit_free_category",
        "stage",
        "category_id",
        "id",
        sqlite_where=text(FREE_UNIT),
        postgresql_where=text(FREE_UNIT),
    ),
    # one open step per cell and stage; one unit for everything else
    Index(
        "uq_unit_open",
        "stage",
        "ref_kind",
        "ref_id",
        "question",
        unique=True,
        sqlite_where=text("state = 'open'"),
        postgresql_where=text("state = 'open'"),
    ),
)

# state: leased | submitted | released | expired | gate_failed. plan_json: what the task is made of, with
# what only the engine may know.
ticket = Table(
    "ticket",
    metadata,
    key_column(),
    text_column("stage"),
    link("worker_id", "worker"),
    text_column("token_hash"),
    text_column("state", "leased"),
    text_column("plan_json"),
    int_column("issued_at"),
    int_column("expires_at"),
    int_column("tries", 0),
    Index(
        "ix_ticket_live",
        "expires_at",
        sqlite_where=text("state = 'leased'"),
        postgresql_where=text("state = 'leased'"),
    ),
    Index("ix_ticket_latest", "worker_id", "stage", "id"),
    Index(
        "ix_ticket_held",
        "worker_id",
        "stage",
        sqlite_where=text("state = 'leased'"),
        postgresql_where=text("state = 'leased'"),
    ),
)

# (+) status: accepted | look_again | gate_failed. voided_by: the void that took it out of all decisions.
answer = Table(
    "answer",
    metadata,
    key_column(),
    link("ticket_id", "ticket", index=True),
    link("worker_id", "worker"),
    text_column("stage"),
    text_column("idem_key"),
    text_column("body_json"),
    text_column("body_sha256"),
    text_column("client_json"),
    text_column("receipt_json"),
    text_column("status"),
    int_column("created_at"),
    link("voided_by", "void", null=True),
    int_column("ms_active", 0),  # as client_json has it
    UniqueConstraint("worker_id", "idem_key"),
    Index(
        "uq_answer_accepted",
        "ticket_id",
        unique=True,
        sqlite_where=text("status = 'accepted'"),
        postgresql_where=text("status = 'accepted'"),
    ),
    # all that is counted of workers, so that counting reads no bodies
    Index("ix_answer_worker", "worker_id", "stage", "status", "voided_by", "ms_active", "created_at"),
    Index(
        "ix_answer_voided_by",
        "voided_by",
        sqlite_where=text("voided_by IS NOT NULL"),
        postgresql_where=text("voided_by IS NOT NULL"),
    ),
)

# state: leased | submitted | released | expired | gate_failed | voided | surplus
slot = Table(
    "slot",
    metadata,
    key_column(),
    link("unit_id", "unit"),
    link("worker_id", "worker"),
    link("ticket_id", "ticket", index=True),
    int_column("position"),
    text_column("state", "leased"),
    link("answer_id", "answer", null=True, index=True),
    Index(
        "uq_slot_live",
        "unit_id",
        "worker_id",
        unique=True,
        sqlite_where=text(LIVE_SLOT),
        postgresql_where=text(LIVE_SLOT),
    ),
)

# (+) work that came too late to count
orphan_answer = Table(
    "orphan_answer",
    metadata,
    key_column(),
    link("ticket_id", "ticket"),
    link("worker_id", "worker", index=True),
    text_column("idem_key"),
    text_column("body_json"),
    text_column("body_sha256"),
    text_column("client_json"),
    int_column("created_at"),
    UniqueConstraint("worker_id", "idem_key"),
)

draft = Table(
    "draft",
    metadata,
    Column("ticket_id", Key, ForeignKey("ticket.id"), primary_key=True, autoincrement=False),
    int_column("rev"),
    text_column("body_json"),
    int_column("saved_at"),
)

# How far a worker has come among the open units of a stage; the search goes round.
position = Table(
    "position",
    metadata,
    Column("worker_id", Key, ForeignKey("worker.id"), primary_key=True, autoincrement=False),
    Column("stage", Text, primary_key=True),
    int_column("unit_id"),
)

# kind: known_bad | known_good (masks in grids) | training | iconic | not_iconic (images in the filter)
gold = Table(
    "gold",
    metadata,
    key_column(),
    text_column("kind"),
    link("image_id", "image"),
    Column("category_id", Key, ForeignKey("category.id")),
    Column("rle", Text),  # COCO's compressed counts
    text_column("source", ""),
    text_column("state", "active"),  # active | retired
    Index("ix_gold_kind", "kind", "category_id"),
)

# (+) what a worker said of a known item in a grid
gold_result = Table(
    "gold_result",
    metadata,
    key_column(),
    link("answer_id", "answer", index=True),
    link("gold_id", "gold"),
    flag_column("correct"),
    int_column("try_no"),
)

# (+) a drawing on a known mask
training_attempt = Table(
    "training_attempt",
    metadata,
    key_column(),
    link("worker_id", "worker"),
    Column("category_id", Key, nullable=False),
    link("gold_id", "gold"),
    link("answer_id", "answer"),
    real_column("iou"),
    flag_column("passed"),
    int_column("created_at"),
    Index("ix_training_attempt_worker", "worker_id", "category_id"),
)

# the gate of a category: open | passed | paused (until)
qualification = Table(
    "qualification",
    metadata,
    Column("worker_id", Key, ForeignKey("worker.id"), primary_key=True, autoincrement=False),
    Column("category_id", Key, primary_key=True, autoincrement=False),
    text_column("state", "open"),
    int_column("until", 0),
)

# (+) every automatic step; the last row of a subject and rule holds
decision = Table(
    "decision",
    metadata,
    key_column(),
    text_column("rule"),
    int_column("rule_version"),
    text_column("subject"),  # such as "cell/7"
    text_column("inputs_json"),
    text_column("outcome_json"),
    int_column("created_at"),
    Index("ix_decision_subject", "subject", "rule"),
)

# (+) reverted_at is the one field that is set later
void = Table(
    "void",
    metadata,
    key_column(),
    link("worker_id", "worker"),
    Column("stage", Text),  # None: all stages
    text_column("reason"),
    text_column("by", ""),
    int_column("created_at"),
    int_column("reverted_at", null=True),
)

# What rests on a manager's change and is still to be decided again (`unsettled.py`), in the order of id.
# stage, ref_kind, ref_id: as of a unit. Rows leave when they are settled.
unsettled = Table(
    "unsettled",
    metadata,
    key_column(),
    text_column("stage"),
    text_column("ref_kind"),
    Column("ref_id", Key, nullable=False),
)

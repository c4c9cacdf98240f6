"""The tables of what the chain makes of answers: votes, cells, points, masks, regions, captions.

Everything here follows from answers that are not voided and from the decisions drawn from them.
"""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Table, Text, UniqueConstraint

from amidst.crowd.schema import metadata
from amidst.store.columns import Key, flag_column, int_column, key_column, link, real_column, text_column

# (+) one score of one voter
category_vote = Table(
    "category_vote",
    metadata,
    key_column(),
    link("candidate_id", "category_candidate"),
    link("answer_id", "answer", index=True),
    int_column("score"),
    text_column("comment", ""),
    UniqueConstraint("candidate_id", "answer_id"),
)

# (+) one worker's word on one image of a filter grid; reason "" keeps it
filter_vote = Table(
    "filter_vote",
    metadata,
    key_column(),
    link("image_id", "image", index=True),
    link("answer_id", "answer", index=True),
    text_column("reason", ""),
)

# (+) an icon on an instance
icon_drop = Table(
    "icon_drop",
    metadata,
    key_column(),
    link("answer_id", "answer", index=True),
    link("image_id", "image", index=True),
    Column("category_id", Key, ForeignKey("category.id"), nullable=False),
    real_column("x"),
    real_column("y"),
)

# One category in one image. state: spotting | segmenting | waiting | crowd | closed | false_positive |
# withdrawn (nobody whose work counts says that it is there). more_than_10: workers saw too many to point at.
cell = Table(
    "cell",
    metadata,
    key_column(),
    link("image_id", "image"),
    Column("category_id", Key, ForeignKey("category.id"), nullable=False),
    text_column("state", "spotting"),
    real_column("prior_x"),
    real_column("prior_y"),
    int_column("n_segmented", 0),
    flag_column("more_than_10"),
    UniqueConstraint("image_id", "category_id"),
)

# A cross; answer_id None: the icon of labelling, which stands in where nobody put a cross.
point = Table(
    "point",
    metadata,
    key_column(),
    link("cell_id", "cell", index=True),
    link("answer_id", "answer", null=True, index=True),
    real_column("x"),
    real_column("y"),
)

# state: pool (to be drawn) | pending | accepted. attempt: discarded masks so far. One per seed point.
instance = Table(
    "instance",
    metadata,
    key_column(),
    link("cell_id", "cell", index=True),
    Column("point_id", Key, ForeignKey("point.id"), nullable=False, unique=True),
    text_column("state", "pool"),
    int_column("attempt", 0),
)

# state: pending | accepted | discarded | withdrawn (its author's work is void). rle: compressed counts at
# image size; area, x, y, w, h are always its own.
segmentation = Table(
    "segmentation",
    metadata,
    key_column(),
    link("cell_id", "cell", index=True),
    link("instance_id", "instance", index=True),
    link("answer_id", "answer", index=True),
    text_column("parts_json"),
    text_column("rle"),
    int_column("area"),
    real_column("x"),
    real_column("y"),
    real_column("w"),
    real_column("h"),
    flag_column("by_expert"),
    text_column("state", "pending"),
)

# (+) the points that a mask covers
coverage = Table(
    "coverage",
    metadata,
    Column("segmentation_id", Key, ForeignKey("segmentation.id"), primary_key=True, autoincrement=False),
    Column("point_id", Key, ForeignKey("point.id"), primary_key=True, autoincrement=False),
)

# (+) a word against a further mask: no_such_object | all_done | not_here | cannot_tell. points_json: the
# points that it would close
claim = Table(
    "claim",
    metadata,
    key_column(),
    link("cell_id", "cell", index=True),
    link("unit_id", "unit", index=True),
    link("answer_id", "answer", index=True),
    text_column("kind"),
    text_column("points_json", "[]"),
    flag_column("by_expert"),
)

# (+) one worker's word on one mask or region
mask_vote = Table(
    "mask_vote",
    metadata,
    key_column(),
    link("unit_id", "unit", index=True),
    link("answer_id", "answer", index=True),
    flag_column("good"),
)

# rle None: "none left". state: pending | accepted | discarded | withdrawn
crowd_region = Table(
    "crowd_region",
    metadata,
    key_column(),
    link("cell_id", "cell", index=True),
    link("answer_id", "answer", index=True),
    Column("rle", Text),
    int_column("area", 0),
    flag_column("by_expert"),
    text_column("state", "pending"),
)

# (+) words_json: its set of words, for comparison
caption = Table(
    "caption",
    metadata,
    key_column(),
    link("image_id", "image", index=True),
    link("answer_id", "answer", index=True),
    link("worker_id", "worker"),
    text_column("text"),
    Index("ix_caption_worker", "worker_id", "id"),
)

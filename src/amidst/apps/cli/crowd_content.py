"""`amidst crowd add | votes`: more photographs, categories, candidates, and what the vote came to."""

from __future__ import annotations

import asyncio
import csv
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import typer

from amidst.apps.cli.collect import thesis_candidates
from amidst.apps.cli.console import print_json, print_table, say
from amidst.apps.cli.crowd_audit import noted
from amidst.apps.cli.crowd_campaigns import Place, now, opened, take_in
from amidst.apps.cli.crowd_categories import further_categories
from amidst.apps.cli.crowd_known import KnownFile, KnownImages, read_known, take_known_in
from amidst.coco.files import write_atomically
from amidst.crowd import engine
from amidst.crowd.rules import SelectionInputs, SelectionOutcome
from amidst.curation.selection import Proposal, read_proposals
from amidst.errors import UsageError

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the campaign.")]
DatabaseUrl = Annotated[
    str, typer.Option(help="As of `serve`.", envvar="AMIDST_DATABASE_URL", show_default=False)
]
Records = Annotated[
    Path | None,
    typer.Option(
        help="COCO file with photographers, days and licences, such as `collect fetch` writes.",
        show_default=False,
    ),
]
Filter = Annotated[bool, typer.Option("--filter", help="Let workers remove iconic and invalid images first.")]


def add(
    folder: Folder,
    images: Annotated[
        Path | None,
        typer.Option(help="More photographs; names that are there are refused.", show_default=False),
    ] = None,
    records: Records = None,
    known: KnownFile = None,
    known_images: KnownImages = None,
    image_filter: Filter = False,
    categories: Annotated[
        Path | None,
        typer.Option(
            help="More categories, in a file as of `init`; labelled images are asked about them alone.",
            show_default=False,
        ),
    ] = None,
    candidates: Annotated[
        str,
        typer.Option(
            metavar="CSV",
            help='Open a vote on these categories; "thesis" for its 269 (272 entries, 3 of them twice).',
            show_default=False,
        ),
    ] = "",
    database_url: DatabaseUrl = "",
) -> None:
    """Add photographs, known masks, categories or candidates to a campaign.

    On SQLite while it is not served; categories alone at any time.

    Categories that the campaign has already are left as they are. Add several in one call: each call is a
    further question to as many workers as label an image.

    **Examples**

      amidst crowd add birds/ --images more_photos/ --filter

      amidst crowd add birds/ --known known/birds.json

      amidst crowd add birds/ --categories waders.txt --known known/waders.json

      amidst crowd add birds/ --candidates thesis
    """
    if images is None and known is None and categories is None and not candidates:
        raise UsageError("nothing to add: give --images, --known, --categories or --candidates")
    proposals: list[Proposal] = []
    if candidates:
        proposals = thesis_candidates() if candidates == "thesis" else list(read_proposals(candidates))
    state: Literal["candidate", "kept"] = "candidate" if image_filter else "kept"
    place = Place(folder, database_url)
    numbers, again = asyncio.run(
        _add(place, (images, records), (known, known_images), categories, proposals, state)
    )
    say(", ".join(f"{number:,} {name}" for name, number in numbers.items() if number) + " added")
    if again:
        say(f"{again:,} images whose labelling has begun are asked about the new categories alone")


async def _add(
    place: Place,
    photographs: tuple[Path | None, Path | None],
    known: tuple[Path | None, Path | None],
    categories: Path | None,
    proposals: Sequence[Proposal],
    state: Literal["candidate", "kept"],
) -> tuple[dict[str, int], int]:
    """What was added, by its name, and how many images are asked again. All is read before any is written.
    photographs: folder and records; known: file and folder.
    """
    alone = photographs[0] is None and known[0] is None and not proposals
    async with opened(place, beside=alone) as store:  # categories are some rows, whether it is served or not
        there = await engine.list_categories(store)
        new = [] if categories is None else further_categories(categories, there)
        ids = {one.name: one.id for one in there if one.state == "active"}
        ids |= {one.name: one.id for one in new}
        least = (await engine.campaign_config(store)).segmentation.min_area
        vouched = take_known_in(read_known(*known, ids, least), place.media)
        images, records = photographs
        taken = [] if images is None else take_in(images, place.media, records)
        again = await engine.add_categories(store, new, now()) if new else 0
        masks = await engine.add_known(store, vouched, now())
        await engine.add_candidates(store, proposals, now())
        await engine.add_images(store, taken, now(), state=state)
        for one in new:
            await noted(store, "category.add", f"category/{one.id}", {"name": one.name})
        added = {"images": len(taken), "known masks": masks, "categories": len(new)}
        return {**added, "candidates": len(proposals)}, again


def votes(
    folder: Folder,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Write the votes, for `collect select`.", show_default=False),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    database_url: DatabaseUrl = "",
) -> None:
    """What the vote on categories came to: who is chosen, and of each other the reason; works while served.

    Nothing is chosen before all have voted.

    **Example**

      amidst crowd votes birds/ -o votes.csv && amidst collect select votes.csv
    """

    async def work() -> tuple[SelectionInputs, SelectionOutcome]:
        async with opened(Place(folder, database_url), read_only=True) as store:
            return await engine.ballot(store)

    inputs, outcome = asyncio.run(work())
    if output is not None:
        text = StringIO()
        rows = csv.writer(text, lineterminator="\n")
        rows.writerow(("voter", "candidate", "points"))
        rows.writerows(inputs.votes)
        write_atomically(output, text.getvalue().encode())
    if as_json:
        print_json({"ballots": inputs.ballots, "voters": inputs.voters, **msgspec.to_builtins(outcome)})
    elif outcome.complete:
        print_table("", ("", "candidate", "mean", "reason"), _rows(inputs, outcome), right=("mean",))
    say(f"{inputs.ballots} of {inputs.voters} have voted on {len(inputs.proposals)} candidates")


def _rows(inputs: SelectionInputs, outcome: SelectionOutcome) -> list[tuple[str, ...]]:
    points: dict[str, list[int]] = {}
    for _, name, score in inputs.votes:
        points.setdefault(name, []).append(score)

    def mean(name: str) -> float:
        return sum(points.get(name, [0])) / max(1, len(points.get(name, [])))

    names: list[Any] = sorted(
        outcome.reasons, key=lambda name: (name not in outcome.taken, -mean(name), name)
    )
    return [
        ("taken" if name in outcome.taken else "", name, f"{mean(name):.2f}", outcome.reasons[name])
        for name in names
    ]

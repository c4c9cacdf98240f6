"""`amidst collect`: from votes to categories, from categories to searches, from searches to photographs."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from amidst.apps.cli.console import new_app, print_json, print_table, say
from amidst.apps.cli.progress import step
from amidst.coco.categories import (
    candidate_categories,
    pascal_categories,
    scene_categories,
    selected_categories,
)
from amidst.coco.files import write_atomically
from amidst.config import from_builtins, override
from amidst.curation.archives import unpack
from amidst.curation.collection import Candidate, CollectionSettings, Query, choose
from amidst.curation.collection import plan as make_plan
from amidst.curation.downloads import Web
from amidst.curation.fetching import fetch as fetch_photographs
from amidst.curation.selection import (
    Proposal,
    Selection,
    SelectionSettings,
    agreement,
    read_proposals,
    read_votes,
)
from amidst.curation.selection import select as select_categories
from amidst.curation.sources import SearchService, from_folder, from_records, from_search
from amidst.errors import DataError, UsageError

app = new_app(help="Choose categories by votes, plan searches, fetch photographs that may be used.")


@app.command()
def select(
    votes: Annotated[
        Path, typer.Argument(metavar="VOTES.csv", help="Columns voter, candidate, points (1-5).")
    ],
    candidates: Annotated[
        Path | None,
        typer.Option(
            help="CSV of candidates; left out: the thesis's 269 (272 entries, 3 of them twice).",
            show_default=False,
        ),
    ] = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help='As target=91 or most={"food":10}.', show_default=False
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Write the result as JSON.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Choose categories from votes; each candidate that is not taken gets its reason.

    **Example**

      amidst collect select votes.csv --set target=91 --set 'most={"food": 10}' -o selection.json
    """
    settings = override(SelectionSettings(), assignments or [])
    cast = read_votes(votes)
    result = select_categories(
        read_proposals(candidates) if candidates else thesis_candidates(), cast, settings
    )
    document = _selection_document(result, agreement(cast))
    if output is not None:
        write_atomically(output, msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n")
    if as_json:
        print_json(document)
        return
    rows = [
        ("taken" if s.taken else "", s.proposal.name, f"{s.mean:.2f}" if s.votes else "-", s.reason)
        for s in result.standings
    ]
    print_table("", ("", "candidate", "mean", "reason"), rows, right=("mean",))
    agreed = document["agreement"]
    shown = "-, too few votes to compare" if math.isnan(agreed) else f"{agreed:.2f}"
    say(f"{len(result.taken)} of {len(rows)} candidates taken; agreement of the voters {shown}")


@app.command()
def plan(
    output: Annotated[Path, typer.Option("-o", "--output", help="JSON lines, one search each.")],
    objects: Annotated[
        Path | None, typer.Option(help="Names, one a line; left out: COCO's 91.", show_default=False)
    ] = None,
    scenes: Annotated[
        Path | None, typer.Option(help="Names, one a line; left out: COCO's 40.", show_default=False)
    ] = None,
    short: Annotated[
        list[str] | None,
        typer.Option(help="Object still short of its target: searched for alone too.", show_default=False),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the counts as JSON.")] = False,
) -> None:
    """Searches that find objects among others: every pair of objects, every object in every scene.

    **Example**

      amidst collect plan -o searches.jsonl --short toaster
    """
    things = _lines(objects) if objects else [category.name for category in selected_categories()]
    places = _lines(scenes) if scenes else [name for names in scene_categories().values() for name in names]
    queries = make_plan(things, places, short_of_target=short or [])
    write_atomically(output, b"".join(msgspec.json.encode(query) + b"\n" for query in queries))
    kinds = {
        kind: sum(q.kind == kind for q in queries) for kind in ("object-object", "object-scene", "object")
    }
    if as_json:
        print_json({"file": str(output), "searches": kinds})
    else:
        say(f"{output}: " + ", ".join(f"{number} {kind}" for kind, number in kinds.items()))


@app.command()
def fetch(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="SOURCE", help="Folder or .zip with sidecars, .csv, .jsonl, or service .json."
        ),
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Folder of the collection; goes on if there.")
    ],
    searches: Annotated[
        Path | None, typer.Option(help="For a service: what `collect plan` wrote.", show_default=False)
    ] = None,
    host: Annotated[
        list[str] | None,
        typer.Option(help="Host that photographs of a list may be fetched from.", show_default=False),
    ] = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a rule.", show_default=False),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the counts as JSON.")] = False,
) -> None:
    """Fetch photographs whose licence allows it, at most five of one photographer's day, and clean them.

    Broken and refused ones are noted in journal.jsonl with their rule. Exit code 0: all taken; 1: some
    refused.

    **Examples**

      amidst collect fetch my_photos/ -o collection/

      amidst collect fetch service.json --searches searches.jsonl -o collection/ --set window_hours=12
    """
    settings = override(CollectionSettings(), assignments or [])
    with ExitStack() as stack:
        found, web = _candidates(source, searches, host or [], stack)
        with step("asking the source") as bar:
            candidates = []
            for candidate in found:
                candidates.append(candidate)
                bar.update(len(candidates))
        choice = choose(candidates, settings)
        with step("fetching photographs") as bar:
            collected = fetch_photographs(choice, output, web=web, report=bar.update)
    if as_json:
        print_json(
            {
                "file": str(collected.file),
                "images": len(collected.dataset.images),
                "refused": collected.refused,
            }
        )
    else:
        rows = [(rule, str(number)) for rule, number in sorted(collected.refused.items())]
        if rows:
            print_table("", ("refused by rule", "photographs"), rows, right=("photographs",))
        say(f"{collected.file}: {len(collected.dataset.images)} photographs")
    if collected.refused:
        raise typer.Exit(1)


def _candidates(
    source: Path, searches: Path | None, hosts: list[str], stack: ExitStack
) -> tuple[Iterator[Candidate], Web]:
    web = Web(hosts=tuple(hosts))
    if source.is_dir():
        return from_folder(source), web
    suffix = source.suffix.lower()
    if suffix == ".zip":
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "unpacked"
        unpack(source, folder)
        return from_folder(folder, source=source.stem), web
    if suffix == ".json":
        if searches is None:
            raise UsageError("a search service needs --searches, which `amidst collect plan` writes")
        service = from_builtins(_json(source), SearchService)
        queries = _read_queries(searches)
        return (found for query in queries for found in from_search(service, query)), service.web
    return from_records(source), web


def thesis_candidates() -> list[Proposal]:
    """The candidates of appendix B, those of PASCAL VOC mandatory; names that stand twice are one."""
    groups = {category.id: category.supercategory for category in selected_categories()}
    mandatory = {category.name for category in pascal_categories().values()}
    found: dict[str, Proposal] = {}
    for candidate in candidate_categories():
        group = groups.get(candidate.category_id, "") if candidate.category_id is not None else ""
        if candidate.name not in found or group:
            found[candidate.name] = Proposal(candidate.name, group, candidate.name in mandatory)
    return list(found.values())


def _selection_document(result: Selection, alpha: float) -> dict[str, Any]:
    standings = [
        {
            "name": s.proposal.name,
            "supercategory": s.proposal.supercategory,
            "taken": s.taken,
            "reason": s.reason,
            "mean": s.mean if s.votes else None,
            "variance": s.variance if s.votes else None,
            "votes": s.votes,
        }
        for s in result.standings
    ]
    return {"taken": list(result.taken), "agreement": alpha, "candidates": standings}


def _lines(file: Path) -> list[str]:
    try:
        text = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror or error}") from None
    return [line.strip() for line in text.splitlines() if line.strip()]


def _json(file: Path) -> Any:
    try:
        return msgspec.json.decode(file.read_bytes())
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror or error}") from None
    except msgspec.DecodeError as error:
        raise DataError(f"not JSON: {error}", file=file, rule="json") from None


def _read_queries(file: Path) -> list[Query]:
    queries = []
    for number, line in enumerate(_lines(file), 1):
        try:
            queries.append(msgspec.json.decode(line.encode(), type=Query))
        except msgspec.DecodeError as error:
            raise DataError(
                f"not a search: {error}", file=file, record=f"line {number}", rule="json"
            ) from None
    return queries

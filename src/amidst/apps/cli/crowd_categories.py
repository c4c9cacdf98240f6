"""`amidst crowd add --categories | retire-category`: categories that come, go and come back."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from amidst.apps.cli.console import say
from amidst.apps.cli.crowd_audit import noted
from amidst.apps.cli.crowd_campaigns import Place, now, opened, read_categories
from amidst.crowd import engine
from amidst.crowd.categories import CategoryRecord, NewCategory
from amidst.crowd.unsettled import settle
from amidst.errors import DataError, UsageError

NAMED = 20


def further_categories(path: Path, there: Sequence[CategoryRecord]) -> list[NewCategory]:
    """Categories of a file that the campaign lacks. Those of a text file are numbered on, above every id that
    was ever given; a COCO file keeps its ids. Raises DataError, UsageError where none is new.
    """
    states = {one.name: one.state for one in there}
    found = [one for one in read_categories(path) if states.get(one.name) != "active"]
    if not found:
        raise UsageError(f"--categories {path}: the campaign has all of them already")
    if path.suffix.lower() != ".json":
        first = max((one.id for one in there), default=0) + 1
        return [msgspec.structs.replace(one, id=number) for number, one in enumerate(found, first)]
    names = {one.id: one.name for one in there}
    for one in found:
        if one.id in names and one.name not in states:
            raise DataError(
                f"{one.name!r} has the id of {names[one.id]!r}; give it another, or list it in a text file, "
                "whose categories are numbered on",
                file=path,
                record=f"category {one.id}",
                rule="category-id",
            )
    return found


def retire_category(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the campaign.")],
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of the category.")],
    undo: Annotated[bool, typer.Option("--undo", help="Take a retired category up again.")] = False,
    database_url: Annotated[
        str, typer.Option(help="As of `serve`.", envvar="AMIDST_DATABASE_URL", show_default=False)
    ] = "",
) -> None:
    """Stop asking about a category; works while the campaign is served.

    What was said of it is kept; its work is called off and the export leaves it out, until --undo. Images
    that somebody has labelled without it by then are asked about it.

    **Examples**

      amidst crowd retire-category birds/ "great auk"

      amidst crowd retire-category birds/ "great auk" --undo
    """

    async def work() -> tuple[CategoryRecord, int]:
        async with opened(Place(folder, database_url), beside=True) as store:
            every = {one.name: one for one in await engine.list_categories(store)}
            if name not in every:
                some = ", ".join(list(every)[:NAMED]) + (", ..." if len(every) > NAMED else "")
                raise UsageError(f"there is no category {name!r}; there are: {some}")
            chosen = every[name]
            images = 0
            if undo:
                images = await engine.restore_category(store, chosen.id, now())
            else:
                await engine.retire_category(store, chosen.id, now())
            action = "category.restore" if undo else "category.retire"
            await noted(store, action, f"category/{chosen.id}", {"name": name})
            await settle(store, now())
            return chosen, images

    one, images = asyncio.run(work())
    if undo:
        again = f"; {images:,} images that were labelled without it are asked about it" if images else ""
        say(f"{name} is asked about again{again}")
    else:
        say(f"{name} is retired; seen in {one.cells:,} images with {one.masks:,} masks, which are kept")

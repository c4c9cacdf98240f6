"""From the images of a task to links under which its worker gets them.

In a reply an image is named by its ticket and its place there, never by its own id, and its link is made for
that place alone: what a worker is sent tells no image from another, known ones least of all.
"""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import Request
from msgspec.structs import replace
from sqlalchemy import Connection, select

from amidst.apps.server.access import session_of
from amidst.apps.server.limits import MICRO
from amidst.apps.server.media_links import MediaLinks, Picture
from amidst.crowd.bodies import BallotTask, FilterTask, ImageRef, Task, VerificationTask
from amidst.crowd.results import Ticket
from amidst.crowd.schema import image
from amidst.crowd.store import Store

MAX_KNOWN = 1_000_000
MAX_PLACES = 1024  # of a ticket
PAGE_S = 15 * 60  # how long the pictures of a manager's page can be fetched, at least


def images_of(task: Task) -> tuple[ImageRef, ...]:
    """The images of a task, place by place."""
    match task:
        case BallotTask():
            return ()
        case FilterTask():
            return task.items
        case VerificationTask():
            return tuple(item.image for item in task.items)
        case _:
            return (task.image,)


def with_images(task: Task, images: Sequence[ImageRef]) -> Task:
    """The same task with other images in its places."""
    match task:
        case BallotTask():
            return task
        case FilterTask():
            return replace(task, items=tuple(images))
        case VerificationTask():
            pairs = zip(task.items, images, strict=True)
            return replace(task, items=tuple(replace(item, image=one) for item, one in pairs))
        case _:
            return replace(task, image=images[0])


class Pictures:
    """Remembers which content belongs to which image: that never changes."""

    def __init__(self, store: Store, links: MediaLinks) -> None:
        self._store, self._links = store, links
        self._sha256: dict[int, str] = {}

    async def of_ticket(self, ticket: Ticket, limit_s: float) -> tuple[Ticket, dict[str, Picture]]:
        """The ticket as its worker sees it, and links by the names that images have there. limit_s: how
        long a ticket may live.
        """
        shown = images_of(ticket.task)
        names = [ticket.id * MAX_PLACES + place for place in range(len(shown))]
        renamed = [replace(one, id=name) for one, name in zip(shown, names, strict=True)]
        await self._learn([one.id for one in shown])
        known = {name: self._sha256.get(one.id) for one, name in zip(shown, names, strict=True)}
        until = ticket.issued_at + int(limit_s * MICRO)
        links = self._links.links({name: sha for name, sha in known.items() if sha}, "ticket", until)
        return replace(ticket, task=with_images(ticket.task, renamed)), links

    async def of_images(self, ids: list[int], subject: str, until: int) -> dict[str, Picture]:
        """Links by image id for a manager; images that do not exist are left out."""
        await self._learn(ids)
        known = {one: self._sha256[one] for one in dict.fromkeys(ids) if one in self._sha256}
        return self._links.links(known, subject, until)

    async def of_page(self, ids: list[int], request: Request) -> dict[str, Picture]:
        """Likewise for the page of who is signed in; the addresses stay the same for a while."""
        until = (self._links.clock() // (PAGE_S * MICRO) + 2) * PAGE_S * MICRO
        return await self.of_images(ids, f"account-{session_of(request).account}", until)

    async def content_of(self, image_id: int) -> str:
        """The content of an image, "" if there is no such image."""
        await self._learn([image_id])
        return self._sha256.get(image_id, "")

    async def _learn(self, ids: list[int]) -> None:
        if any(one not in self._sha256 for one in ids):
            if len(self._sha256) > MAX_KNOWN:
                self._sha256.clear()
            found = await self._store.read(lambda c: _contents(c, list(dict.fromkeys(ids))))
            self._sha256.update(found)


def _contents(connection: Connection, ids: list[int]) -> dict[int, str]:
    rows = connection.execute(select(image.c.id, image.c.sha256).where(image.c.id.in_(ids)))
    return {row[0]: row[1] for row in rows if row[1]}

"""From the images of a task to links under which its worker gets them."""

from __future__ import annotations

from sqlalchemy import Connection, select

from amidst.apps.server.media_links import MediaLinks, Picture
from amidst.crowd.bodies import (
    BallotTask,
    FilterTask,
    ImageRef,
    Task,
    VerificationTask,
)
from amidst.crowd.schema import image
from amidst.crowd.store import Store

MAX_KNOWN = 1_000_000


def images_of(task: Task) -> tuple[ImageRef, ...]:
    """The images that a task shows."""
    match task:
        case BallotTask():
            return ()
        case FilterTask():
            return task.items
        case VerificationTask():
            return tuple(item.image for item in task.items)
        case _:
            return (task.image,)


class Pictures:
    """Remembers which content belongs to which image: that never changes."""

    def __init__(self, store: Store, links: MediaLinks) -> None:
        self._store, self._links = store, links
        self._sha256: dict[int, str] = {}

    async def of_task(self, task: Task, subject: str, until: int) -> dict[str, Picture]:
        """Links by image id that hold until then."""
        return await self.of_images([one.id for one in images_of(task)], subject, until)

    async def of_images(self, ids: list[int], subject: str, until: int) -> dict[str, Picture]:
        """Likewise of images by their ids; those that do not exist are left out."""
        await self._learn(ids)
        known = {one: self._sha256[one] for one in dict.fromkeys(ids) if one in self._sha256}
        return self._links.links(known, subject, until)

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
    return {row[0]: row[1] for row in rows}

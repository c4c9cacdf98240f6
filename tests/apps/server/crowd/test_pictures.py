"""What a worker is sent names no image: neither in two tickets, nor known ones apart from the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from amidst.apps.server.crowd.pictures import images_of, with_images
from amidst.config import override
from amidst.crowd import engine
from amidst.crowd.bodies import BallotTask, CaptionTask, FilterTask, ImageRef
from amidst.crowd.campaigns import NewImage
from amidst.crowd.config import CampaignConfig

CONFIG = override(
    CampaignConfig(name="test"),
    [
        "image_filter.grid=12",
        "image_filter.known_iconic=2",
        "image_filter.known_good=2",
        "image_filter.must_find=2",
    ],
)


@pytest.fixture(scope="module")
def site(open_site: Callable[..., Any]) -> Any:
    """Twelve candidates to filter, and as many known images as a grid needs: they come again in the next."""
    site = open_site()
    contents = [path.name for path in sorted(site.media.folder.glob("*/*"))]

    async def prepare() -> None:
        await engine.change_config(site.store, CONFIG, 0)
        new = [NewImage(file_name=f"c{n}.png", width=9, height=9, sha256=contents[n % 4]) for n in range(12)]
        await engine.add_images(site.store, new, 0, state="candidate")
        known = [NewImage(file_name=f"g{n}.png", width=9, height=9, sha256=contents[n]) for n in range(4)]
        for number, image_id in enumerate(await engine.add_images(site.store, known, 0, state="gold")):
            await engine.add_gold_image(site.store, image_id, 0, iconic=number < 2)

    site.run(prepare())
    return site


def leased(site: Any, name: str) -> Any:
    answer = site.post(name, "/api/tickets/lease", {"stage": "image_filter"}).json()
    assert answer["ticket"] is not None, answer
    return answer


def leaves(value: Any) -> Iterator[Any]:
    """Every value of a reply that is no collection."""
    for part in value.values() if isinstance(value, dict) else value:
        if isinstance(part, dict | list):
            yield from leaves(part)
        else:
            yield part


def test_no_value_of_a_grid_comes_again_in_another(site: Any) -> None:
    first, second = leased(site, "worker"), leased(site, "worker")
    assert len(first["ticket"]["task"]["items"]) == 12
    common = {"image_filter", 9} | {first["ticket"][name] for name in ("issued_at", "expires_at")}
    assert (set(leaves(first)) & set(leaves(second))) - common == set()
    assert set(first["media"]).isdisjoint(second["media"])


def test_every_place_of_a_grid_has_its_picture(site: Any) -> None:
    answer = leased(site, "expert")
    ids = [item["id"] for item in answer["ticket"]["task"]["items"]]
    assert [str(one) for one in ids] == list(answer["media"])
    assert len(set(ids)) == 12
    seen, tags = set(), set()
    for picture in answer["media"].values():
        got = site.client.get(f"{picture['base']}/256?{picture['access']}")
        assert got.status_code == 200
        seen.add(got.content)
        tags.add((got.headers["etag"], got.headers["last-modified"]))
    assert len(seen) == 4  # twelve places of four photographs
    assert len({tag for tag, _ in tags}) == 12
    assert len({modified for _, modified in tags}) == 1


def test_a_resumed_ticket_is_the_same_to_the_last_link(site: Any) -> None:
    answer = leased(site, "manager")
    again = site.post("manager", f"/api/tickets/{answer['ticket']['id']}/resume").json()
    assert again["media"] == answer["media"]
    assert again["ticket"]["task"] == answer["ticket"]["task"]


def test_tasks_without_with_one_and_with_many_images() -> None:
    ballot = BallotTask(candidates=())
    assert images_of(ballot) == ()
    assert with_images(ballot, []) == ballot
    one, other = ImageRef(id=1, width=2, height=3), ImageRef(id=4, width=2, height=3)
    caption = CaptionTask(image=one, min_words=1, max_words=2)
    assert images_of(with_images(caption, [other])) == (other,)
    grid = FilterTask(items=(one, one))
    assert with_images(grid, [other, one]) == FilterTask(items=(other, one))
    assert msgspec.json.encode(with_images(grid, [one, one])) == msgspec.json.encode(grid)

"""60 ways to smuggle a script in, wherever a page shows what people have written.

None runs and none is reported. Names of people, categories, groups and candidates, definitions, captions,
file names, notes, reasons and EXIF; every manager's and every worker's page. The policy would stop a script
and report it: a page that makes its elements from text has nothing to report.
"""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import msgspec
import pytest
from PIL import Image as PillowImage
from sqlalchemy import select, update

from amidst.apps.server.accounts import AccountsConfig
from amidst.apps.server.crowd.app import make_accounts
from amidst.apps.server.media import MediaStore
from amidst.crowd import engine
from amidst.crowd.bodies import Client
from amidst.crowd.campaigns import NewImage
from amidst.crowd.categories import NewCategory
from amidst.crowd.results import Ticket
from amidst.crowd.schema import answer, category, category_candidate, image, supercategory, worker
from amidst.crowd.schema_chain import caption

CALLS = ("alert(1)", "top.alert(1)", "confirm(1)", "prompt(1)", "import('/x')")
FORMS = (
    "<script>{}</script>",
    "</title><script>{}</script>",
    '"><img src=x onerror={}>',
    "'><svg onload={}>",
    "<iframe srcdoc='<script>{}</script>'></iframe>",
    "<a href=javascript:{}>x</a>",
    "<details open ontoggle={}>",
    "<style>@import 'javascript:{}'</style>",
    "{{{{constructor.constructor('{}')()}}}}",
    "${{{}}}",
    "--><script>{}</script><!--",
    "<math><mtext><img src=x onerror={}></math>",
)
PAYLOADS = [form.format(call) for form in FORMS for call in CALLS]
MANAGE = (
    "",
    "/workers",
    "/worker#{}",
    "/voids",
    "/golds",
    "/decisions",
    "/people",
    "/settings",
    "/export",
    "/audit",
)
WORK = (
    "category_votes", "image_filter", "labelling", "spotting", "segmentation", "verification",
    "crowd_regions", "captions",
)  # fmt: skip


def test_there_are_sixty() -> None:
    assert len(set(PAYLOADS)) == 60


def now() -> int:
    return 1_800_000_000_000_000


@pytest.fixture
def poisoned(template: Any, site: Any, tmp_path_factory: pytest.TempPathFactory) -> int:
    """Writes them everywhere; a worker whose captions hold them."""
    accounts = make_accounts(now, AccountsConfig())

    def names(connection: Any) -> list[int]:
        for table, column in (
            (category, category.c.name), (category, category.c.definition), (image, image.c.file_name),
            (supercategory, supercategory.c.name), (category_candidate, category_candidate.c.name),
        ):  # fmt: skip
            ids = [row[0] for row in connection.execute(select(table.c.id).order_by(table.c.id))]
            for place, key in enumerate(ids):
                value = f"{PAYLOADS[place % 60]} {key}"
                connection.execute(update(table).where(table.c.id == key).values({column: value}))
        made = [accounts.create(connection, payload, "worker") for payload in PAYLOADS]
        connection.execute(update(worker).values(note=PAYLOADS[7]))
        for payload in PAYLOADS:
            accounts.issue(connection, "worker", note=payload)
            accounts.note(connection, made[0], payload, payload, {payload: payload})
        return made

    people: list[int] = site.run(site.store.write(names))
    last = NewCategory(id=1000, name=PAYLOADS[1], supercategory=PAYLOADS[2], definition=PAYLOADS[3])
    site.run(engine.add_categories(site.store, [last]))  # and the panels are made anew
    settings = site.run(engine.campaign_config(site.store))
    renamed = msgspec.structs.replace(settings, name=PAYLOADS[0])
    site.run(engine.change_config(site.store, renamed, 0))
    write_captions(site, people)
    for payload in PAYLOADS:
        site.run(engine.void(site.store, people[2], None, payload, payload, now()))
    add_exif(site, MediaStore(template.folder / "media"), tmp_path_factory.mktemp("exif"))
    return people[0]


def write_captions(site: Any, people: list[int]) -> None:
    """Four of them in a caption; the words around are there because eight are asked for."""
    groups = [" ".join(PAYLOADS[at : at + 6]) for at in range(0, 60, 6)]
    for place, group in enumerate(groups):
        who = people[place % 2]
        got = site.run(engine.lease(site.store, who, "captions", now()))
        assert isinstance(got, Ticket)
        body = {"text": f"A street with number {place} painted on a house of colour {place * 7} here."}
        site.run(engine.submit(site.store, who, got.id, got.token, f"caption {place}", body, Client(), now()))

        def poison(connection: Any, ticket: int = got.id, text: str = group) -> None:
            key = connection.execute(select(answer.c.id).where(answer.c.ticket_id == ticket)).scalar_one()
            stored = msgspec.json.encode({"text": text}).decode()
            connection.execute(update(answer).where(answer.c.id == key).values(body_json=stored))
            connection.execute(update(caption).where(caption.c.answer_id == key).values(text=text))

        site.run(site.store.write(poison))


def add_exif(site: Any, media: MediaStore, folder: Path) -> None:
    """A photograph with a script in its metadata, among the images to label; what is served has none."""
    exif = PillowImage.Exif()
    exif[0x010E] = "".join(PAYLOADS)  # ImageDescription
    exif[0x9286] = "".join(PAYLOADS)  # UserComment
    path = folder / "exif.jpg"
    PillowImage.new("RGB", (64, 48), "orange").save(path, exif=exif)
    assert b"<script>" in path.read_bytes()
    stored = media.add(path)
    new = NewImage(f"{PAYLOADS[0]}.jpg", 64, 48, stored.sha256)
    (key,) = site.run(engine.add_images(site.store, [new], now()))
    found = media.find(stored.sha256, "original-upright")
    assert found is not None
    served = found.read_bytes()
    assert b"script" not in served
    assert not PillowImage.open(BytesIO(served)).getexif()
    assert key > 0


def closed(visitor: Any, page: Any) -> None:
    """No script of a payload has run and no element of one was made."""
    made = (
        "main script, main iframe, main img[onerror], main svg[onload], main a[href^=javascript], main math"
    )
    assert page.locator(made).count() == 0
    page.close()


def watched(visitor: Any, path: str) -> Any:
    page = visitor.context.new_page()
    page.on("dialog", lambda shown: (visitor.problems.append(f"dialog on {path}"), shown.dismiss()))
    page.on("pageerror", lambda error: visitor.problems.append(str(error)))
    page.on("console", lambda said: visitor.problems.append(said.text) if said.type == "error" else None)
    page.goto(visitor.site.address + path)
    return page


def test_managers_pages_show_them_as_text(template: Any, poisoned: int, visit: Callable[..., Any]) -> None:
    visitor = visit("owner")
    seen = ""
    for path in MANAGE:
        page = watched(visitor, f"/manage{path.format(poisoned)}")
        page.wait_for_selector(".ready")
        seen += page.inner_text("main") + page.evaluate(
            "[...document.querySelectorAll('input, option')].map(one => one.value + one.textContent).join()"
        )
        closed(visitor, page)
    assert [payload for payload in PAYLOADS if payload not in seen] == []
    assert visitor.problems == []


def test_workers_pages_show_them_as_text(template: Any, poisoned: int, visit: Callable[..., Any]) -> None:
    visitor = visit("worker")
    visitor.site.qualify(visitor.account)
    seen = ""
    for stage in WORK:
        page = watched(visitor, f"/work/{stage}")
        page.wait_for_selector(".stage[data-ready]")
        assert page.get_attribute(".stage", "data-ready") != "nothing", stage
        seen += page.inner_text("main") + page.evaluate(
            "[...document.querySelectorAll('main *')].map(one => `${one.title} ${one.ariaLabel}`).join()"
        )
        if stage == "labelling":  # a group of categories at a time: all eleven
            for _ in range(11):
                page.locator(".guide .row button").first.click()  # no, and on to the next group
                seen += page.inner_text("main")
        closed(visitor, page)
    assert [payload for payload in PAYLOADS if payload not in seen] == []
    assert visitor.problems == []

"""The leaderboard's pages in a real browser: invitation, upload with live state, table, organisers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from amidst.coco import CocoDataset

Guesses = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def page(visitor: Any) -> Any:
    return visitor


def invitation(site: Any, team: str) -> str:
    return str(site.call("owner", "POST", "/api/teams/invite", {"team": team})[1]["token"])


def come_in(page: Any, site: Any, token: str, name: str) -> None:
    page.goto(f"{site.url}/enter#{token}")
    page.get_by_label("Name").fill(name)
    page.get_by_role("button", name="Come in").click()
    page.wait_for_url(f"{site.url}/")


def test_a_board_without_scores_is_shown_to_everybody(page: Any, site: Any) -> None:
    page.goto(site.url)
    page.get_by_role("heading", name="Boxes <b>").wait_for()
    page.get_by_text("No scores to show yet").wait_for()
    assert page.get_by_role("link", name="Sign in").is_visible()
    assert page.get_by_role("link", name="Submissions").count() == 0


def test_from_an_invitation_to_a_place_in_the_table(
    page: Any, site: Any, make_guesses: Guesses, tmp_path: Path
) -> None:
    file = tmp_path / "results.json"
    file.write_text(json.dumps(make_guesses(site.dataset, 21)))
    come_in(page, site, invitation(site, "Team <i>X</i>"), "Xaver")
    page.get_by_role("link", name="Submissions").click()
    page.get_by_label("Results file").set_input_files(file)
    page.get_by_label("Method", exact=True).fill("<script>alert(1)</script>")
    page.get_by_label("Description").fill("The first <b>line</b>\nand the second")
    page.get_by_label("Link to paper or code").fill("https://example.org/paper")
    page.get_by_role("button", name="Send").click()
    page.get_by_text("all of it is sent and right").wait_for()
    page.locator("tr[data-submission] .badge.good", has_text="scored").wait_for()
    page.get_by_text("999 more today, 999 in all").wait_for()
    page.goto(f"{site.url}/#dev")
    row = page.locator("tr.own", has_text="Team <i>X</i>")
    row.get_by_text("yours").wait_for()
    unfold = row.get_by_role("button", name="<script>alert(1)</script>")
    unfold.press("Enter")  # by keyboard
    about = page.locator("tr.unfolded:visible")
    assert unfold.get_attribute("aria-expanded") == "true"
    assert about.get_by_role("link").get_attribute("href") == "https://example.org/paper"
    assert "The first <b>line</b>\nand the second" in about.inner_text()
    assert about.locator(".numbers dt").count() == 12
    unfold.press("Enter")
    about.wait_for(state="hidden")
    page.get_by_role("img", name="AP of").wait_for()
    assert page.locator(".plot-place circle").count() >= 1
    assert {"AP", "sent (UTC)"} <= set(page.locator(".plot-place text").all_text_contents())
    page.get_by_text("The numbers").click()
    numbers = page.get_by_role("region", name="Numbers of AP over time")
    assert numbers.get_by_text("Team <i>X</i>").is_visible()
    assert "Team <i>X</i>" in page.locator(".legend").inner_text()


def test_a_wrong_file_is_refused_in_words(page: Any, site: Any, tmp_path: Path) -> None:
    file = tmp_path / "wrong.json"
    file.write_text(json.dumps([{"image_id": 4711, "category_id": 1, "bbox": [0, 0, 1, 1], "score": 1}]))
    come_in(page, site, invitation(site, "Y"), "Yvonne")
    page.goto(f"{site.url}/submissions")
    page.get_by_label("Results file").set_input_files(file)
    page.get_by_role("button", name="Send").click()
    page.locator(
        ".banner.error", has_text="wrong.json: detection at index 0: image 4711 is not in the list"
    ).wait_for()
    page.locator("tr[data-submission] .badge.bad", has_text="failed").wait_for()
    page.get_by_text("1000 more today, 1000 in all").wait_for()


def test_stopping_and_continuing(page: Any, site: Any, make_guesses: Guesses, tmp_path: Path) -> None:
    file = tmp_path / "long.json"
    file.write_text(json.dumps(make_guesses(site.dataset, 23)) + " " * (5 << 20))
    come_in(page, site, invitation(site, "Patient"), "Pia")
    page.goto(f"{site.url}/submissions#dev")
    page.route("**/content?offset=4194304", lambda _: None)  # the second piece never arrives
    page.get_by_label("Results file").set_input_files(file)
    page.get_by_role("button", name="Send").click()
    page.locator(".sending", has_text="4.2 MB of").wait_for()
    page.locator("tr[data-submission]", has_text="4.2 MB of").wait_for()  # the list goes along
    assert page.get_by_role("button", name="Send").is_disabled()
    page.get_by_role("button", name="Stop").click()
    page.get_by_text("What has come of submission").wait_for()
    page.unroute("**/content?offset=4194304")
    other = tmp_path / "other.json"
    other.write_text("[]")
    with page.expect_file_chooser() as chosen:
        page.get_by_role("button", name="Continue submission").click()
    chosen.value.set_files(other)
    page.locator(".banner.error", has_text="is of long.json").wait_for()
    page.reload()  # the file alone is needed, nothing that the page had kept
    with page.expect_file_chooser() as chosen, page.expect_request("**/content?offset=*") as sent:
        page.get_by_role("button", name="Continue submission").click()
        chosen.value.set_files(file)
    assert sent.value.url.endswith("offset=4194304")
    page.locator("tr[data-submission] .badge.good", has_text="scored").wait_for()
    assert page.locator("tr[data-submission]").count() == 1


def test_describing_and_withdrawing(page: Any, site: Any, make_guesses: Guesses, tmp_path: Path) -> None:
    come_in(page, site, invitation(site, "Z"), "Zoe")
    file = tmp_path / "results.json"
    file.write_text(json.dumps(make_guesses(site.dataset, 22)))
    page.goto(f"{site.url}/submissions")
    page.get_by_label("Results file").set_input_files(file)
    page.get_by_role("button", name="Send").click()
    page.locator(".badge.good", has_text="scored").wait_for()
    page.get_by_role("button", name="Details of submission").click()
    page.get_by_role("dialog").get_by_label("Method").fill("better name")
    page.get_by_role("dialog").get_by_role("button", name="Save").click()
    page.locator("tr[data-submission]", has_text="better name").wait_for()
    page.get_by_role("button", name="Withdraw submission").click()
    page.get_by_role("dialog").get_by_role("button", name="Withdraw").click()
    page.locator(".badge", has_text="withdrawn").wait_for()
    page.get_by_role("button", name="Token for the command line").click()
    page.get_by_text("export AMIDST_TOKEN=").wait_for()


def set_contact(site: Any, contact: str) -> None:
    path = "/api/board/settings"
    found = site.call("owner", "GET", path)[1]
    body = {"name": found["name"], "description": found["description"]}
    status, told = site.call(
        "owner", "POST", path, {**body, "config": {**found["config"], "contact": contact}}
    )
    assert status == 200, told


def test_who_is_not_let_in_is_told_whom_to_ask(
    page: Any, site: Any, come_back: Callable[..., Any], open_page: Callable[..., Any]
) -> None:
    used, eve, ann = invitation(site, "Late"), come_back("eve", "/"), come_back("ann", "/")
    come_in(open_page(), site, used, "Lea")
    places = ((page, "/enter"), (page, "/enter#no-such-link"), (page, f"/enter#{used}"), (page, "/"))
    for contact, words, address in (
        ("olga@lab.example", "olga@lab.example", "mailto:olga@lab.example"),
        ("mailto:olga@lab.example", "olga@lab.example", "mailto:olga@lab.example"),
        ("<b>Olga</b>, https://lab.example", "<b>Olga</b>, https://lab.example", None),
    ):
        set_contact(site, contact)
        for who, path in (*places, (eve, "/submissions"), (ann, "/organise")):
            who.goto("about:blank")  # so that another part behind # is another page
            who.goto(site.url + path)
            line = who.locator("p", has_text="Contact:")
            assert line.inner_text() == f"Contact: {words}", path
            links = line.locator("a")
            assert links.count() == (address is not None)
            if address is not None:
                assert links.get_attribute("href") == address
    set_contact(site, "")
    page.goto(f"{site.url}/enter#no-such-link")
    page.get_by_role("heading", name="This link does not let you in").wait_for()
    page.wait_for_load_state("networkidle")
    assert page.get_by_text("Contact:").count() == 0


def test_the_truth_is_not_in_the_browser(page: Any, site: Any) -> None:
    """Nothing that the pages load holds an annotation."""
    texts: list[bytes] = []

    def read(route: Any) -> None:
        """On its way, for a page that goes elsewhere takes what it has loaded with it."""
        response = route.fetch(max_redirects=0)
        texts.append(response.body())
        route.fulfill(response=response)

    page.route("**/*", read)
    for path in ("/", "/submissions", "/organise"):
        page.goto(site.url + path)
        page.wait_for_load_state("networkidle")
    truth = CocoDataset.load(site.folder.truth(1))
    assert len(texts) > 5
    hidden = [f'"id":{annotation.id}'.encode() for annotation in truth.annotations]
    assert not any(one in text for one in hidden for text in texts)

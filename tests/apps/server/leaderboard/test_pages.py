"""The leaderboard's pages in a real browser: invitation, upload with live state, table, organisers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from amidst.coco import CocoDataset

Guesses = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    context = browser.new_context(viewport={"width": 1280, "height": 720})
    made = context.new_page()
    problems: list[str] = []
    made.on("pageerror", lambda error: problems.append(str(error)))
    made.on("console", lambda said: problems.append(said.text) if "Content Security" in said.text else None)
    yield made
    context.close()
    assert problems == []


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
    page.get_by_label("Method").fill("<script>alert(1)</script>")
    page.get_by_label("Link to paper or code").fill("https://example.org/paper")
    page.get_by_role("button", name="Send").click()
    page.get_by_text("all of it is sent and right").wait_for()
    page.locator("tr[data-submission] .badge.good", has_text="scored").wait_for()
    page.get_by_text("999 today, 999 in all").wait_for()
    page.goto(f"{site.url}/#dev")
    row = page.locator("tbody tr", has_text="Team <i>X</i>")
    row.wait_for()
    assert (
        row.get_by_role("link", name="<script>alert(1)</script>").get_attribute("href")
        == "https://example.org/paper"
    )
    assert page.locator("svg.plot circle").count() >= 1
    assert "Team <i>X</i>" in page.locator(".legend").inner_text()


def test_a_wrong_file_is_refused_in_words(page: Any, site: Any, tmp_path: Path) -> None:
    file = tmp_path / "wrong.json"
    file.write_text(json.dumps([{"image_id": 4711, "category_id": 1, "bbox": [0, 0, 1, 1], "score": 1}]))
    come_in(page, site, invitation(site, "Y"), "Yvonne")
    page.goto(f"{site.url}/submissions")
    page.get_by_label("Results file").set_input_files(file)
    page.get_by_role("button", name="Send").click()
    page.locator(
        "[role=alert]", has_text="wrong.json: detection at index 0: image 4711 is not in the list"
    ).wait_for()
    page.locator("tr[data-submission] .badge.bad", has_text="failed").wait_for()
    page.get_by_text("1000 today, 1000 in all").wait_for()


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


def test_organisers_invite_and_set_phases(page: Any, site: Any) -> None:
    link = site.call("owner", "POST", "/api/invitations", {"role": "manager"})[1]["token"]
    come_in(page, site, link, "Mia")
    page.get_by_role("link", name="Organise").click()
    card = page.locator("form", has_text="Phase final")
    card.get_by_label("Scores are seen by").select_option("owner")
    card.get_by_label("Closes (UTC)").fill("2090-01-02T03:04")
    card.get_by_role("button", name="Save").click()
    card.get_by_text("saved").wait_for()
    phases = site.call("", "GET", "/api/board")[1]["phases"]
    final = next(phase for phase in phases if phase["name"] == "final")["config"]
    assert (final["visibility"], final["closes_at"]) == ("owner", 3787009440_000000)
    page.get_by_label("Team", exact=True).fill("New ones")
    page.get_by_label("People").fill("3")
    page.get_by_role("button", name="Invite").click()
    text = page.get_by_role("dialog").locator("code").inner_text()
    assert text.startswith(f"{site.url}/enter#")
    page.get_by_role("button", name="Done").click()
    page.locator("td", has_text="New ones").wait_for()


def test_the_truth_is_not_in_the_browser(page: Any, site: Any) -> None:
    """Nothing that the pages load holds an annotation."""
    texts: list[str] = []
    page.on("response", lambda response: texts.append(response.text()))
    for path in ("/", "/submissions", "/organise"):
        page.goto(site.url + path)
        page.wait_for_load_state("networkidle")
    truth = CocoDataset.load(site.folder.truth(1))
    assert len(texts) > 5
    assert not any(f'"id":{annotation.id}' in text for annotation in truth.annotations for text in texts)

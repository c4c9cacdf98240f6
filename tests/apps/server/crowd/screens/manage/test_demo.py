"""`amidst crowd demo` end to end: every printed link works, and one ticket of every stage can be had."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

STAGES = {
    "category_votes",
    "image_filter",
    "labelling",
    "spotting",
    "segmentation",
    "verification",
    "crowd_regions",
    "captions",
}


def test_every_printed_link_leads_to_open_work(demo: Any, enter: Callable[..., Any]) -> None:
    assert set(demo.stages) == STAGES
    worker = enter("worker")
    for stage, address in demo.stages.items():
        page = worker.open(address.removeprefix(demo.address))
        page.wait_for_selector(".stage[data-ready]")
        assert page.get_attribute(".stage", "data-ready") != "nothing", stage
        page.close()


def test_one_worker_can_have_a_ticket_of_every_stage(demo: Any, enter: Callable[..., Any]) -> None:
    worker = enter("worker")
    csrf = worker.ask("/api/auth/me")["csrf"]
    seen = {ticket["stage"] for ticket in worker.ask("/api/tickets")}
    for stage in sorted(STAGES):
        while True:  # the desk may have fetched ahead; training comes when the open gate has no more work
            answer = worker.context.request.post(
                f"{demo.address}/api/tickets/lease", data={"stage": stage}, headers={"X-CSRF-Token": csrf}
            ).json()
            assert "ticket" in answer, answer
            if answer["ticket"] is None:
                break
            seen.add(answer["ticket"]["stage"])
    assert seen == STAGES | {"training"}


def test_the_expert_needs_no_training(demo: Any, enter: Callable[..., Any]) -> None:
    expert = enter("expert")
    page = expert.open("/work/segmentation")
    page.wait_for_selector(".stage[data-ready]")
    assert {ticket["stage"] for ticket in expert.ask("/api/tickets")} == {"segmentation"}


def test_it_tells_how_long_it_took(demo: Any) -> None:
    assert "ready after" in demo.printed

"""Suggested outlines over HTTP, by a real model file of mask proposals (small, and not trained)."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from amidst.apps.cli.crowd_assist import assistance
from amidst.apps.server.crowd import model_assistance
from amidst.apps.server.crowd.model_assistance import open_assistance
from amidst.coco import masks
from amidst.coco.records import Rle
from amidst.config import override
from amidst.crowd import engine
from amidst.crowd.config import CampaignConfig
from amidst.crowd.outlines import covered
from amidst.errors import UsageError
from amidst.models.build import build_model
from amidst.models.config import BackboneConfig, FPNMasksConfig
from amidst.models.weights import ModelInfo, save_model

CONFIG = override(
    CampaignConfig(name="test"),
    ["labelling.workers=1", "spotting.workers=1", "segmentation.require_training=false"],
)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file of FPN masks with random weights."""
    torch.manual_seed(0)
    config = FPNMasksConfig(backbone=BackboneConfig(name="tiny"))
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    save_model(
        path, build_model(config).state_dict(), ModelInfo(config, (), {"resize": {"short": 128, "long": 256}})
    )
    return path


@pytest.fixture(scope="module")
def site(open_site: Callable[..., Any], model: Path, label_one: Callable[..., Any]) -> Any:
    """A campaign whose images have a cell to draw in each."""
    site = open_site(assist=assistance(str(model)))
    site.run(engine.change_config(site.store, CONFIG, 0))
    while (ticket := site.lease("expert")) is not None:
        category = ticket["task"]["panels"][0]["categories"][0]["id"]
        answer = site.submit(
            "expert", ticket, label_one(ticket, category, (9.0, 9.0)), f"label-{ticket['id']:06}"
        )
        assert answer.status_code == 200, answer.text
    while (ticket := site.lease("expert", "spotting")) is not None:
        answer = site.submit("expert", ticket, {"points": [{"x": 9, "y": 9}]}, f"spot-{ticket['id']:06}")
        assert answer.status_code == 200, answer.text
    return site


def suggested(site: Any, ticket: Any, **asked: Any) -> Any:
    body = {"token": ticket["token"], **asked}
    return site.post("worker", f"/api/tickets/{ticket['id']}/assist", body)


def rles(answer: Any) -> list[Rle]:
    assert answer.status_code == 200, answer.text
    return [Rle(tuple(one["size"]), one["counts"]) for one in answer.json()["masks"]]


def test_clicks_get_masks_that_hold_them(site: Any) -> None:
    ticket = site.lease("worker", "segmentation")
    image = ticket["task"]["image"]
    width, height = image["width"], image["height"]
    found = 0
    for x, y in ((width / 2, height / 2), (9, 9), (width, height), (0, 0), (width / 3, height / 4)):
        for mask in rles(suggested(site, ticket, points=[(round(x, 2), round(y, 2))])):
            assert mask.size == (height, width)
            assert covered(mask, [(x, y)], 2.0)[0]
            assert int(masks.area([mask])[0]) > 0
            found += 1
    assert found > 0
    pair = [(10, 10), (14, 12)]
    for mask in rles(suggested(site, ticket, points=pair)):
        assert covered(mask, pair, 2.0).all()
    box = [(10, 10), (60, 10), (60, 50), (10, 50)]
    assert rles(suggested(site, ticket, polygon=box))
    assert rles(suggested(site, ticket)) == []
    assert rles(suggested(site, ticket, polygon=[(5, 5), (5, 9)])) == []


def test_an_image_is_looked_at_once_and_before_the_first_click(
    site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[Any] = []
    real = model_assistance.open_scene

    def counting(*arguments: Any) -> Any:
        looked.append(arguments)
        return real(*arguments)

    monkeypatch.setattr(model_assistance, "open_scene", counting)
    ticket = site.lease("worker", "segmentation")
    end = time.monotonic() + 60
    while not looked and time.monotonic() < end:
        site.get("worker", "/api/tickets")  # the server's loop goes on
    for x in range(10, 40, 5):
        rles(suggested(site, ticket, points=[(x, 20)]))
    assert len(looked) == 1


def test_a_foreign_or_ended_ticket_gets_nothing(site: Any) -> None:
    ticket = site.lease("worker", "segmentation")
    body = {"token": ticket["token"], "points": [(5, 5)]}
    assert site.post("expert", f"/api/tickets/{ticket['id']}/assist", body).status_code == 404
    body["token"] = "another"
    assert site.post("worker", f"/api/tickets/{ticket['id']}/assist", body).status_code == 409


def test_a_model_that_proposes_no_masks_is_refused() -> None:
    with pytest.raises(UsageError, match="proposes no masks"):
        open_assistance("person")
    assert assistance("") is None

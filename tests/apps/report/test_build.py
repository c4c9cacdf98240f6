"""The page of a run: whole, self-contained, safe, and never brought down by what is missing."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from amidst.apps.report.build import write_report
from amidst.errors import UsageError

EVIL = '<script>alert("1")</script>'
SECTIONS = {"scores", "training", "precision", "pictures", "card"}


class Page(HTMLParser):
    """What a browser would see: ids, text, attributes, scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.text = ""
        self.attributes: list[tuple[str, str, str]] = []
        self.scripts: list[str] = []
        self._inside = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = tag
        if tag == "script":
            self.scripts.append("")
        for name, value in attrs:
            self.attributes.append((tag, name, value or ""))
            if name == "id":
                self.ids.add(value or "")

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            self.scripts[-1] += data
        elif self._inside != "style":
            self.text += data


def experiment() -> dict[str, Any]:
    return {"name": "smoke", "optim": {"lr": 0.01, "kind": "sgd"}, "data": {"resize": {"short": 64}}}


def log_lines() -> list[dict[str, Any]]:
    steps = [
        {"step": k, "lr": 0.1 / k, "loss": 2.0 / k, "losses": {"class": 1.0 / k, "box": 1.0 / k}}
        for k in range(1, 41)
    ]
    return [*steps, {"step": 40, "validation": {"ap": 0.4, "ap50": 0.6}}]


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., Path]:
    """A run folder with its data; `names` of the categories, `files` of the photographs."""

    def make(names: tuple[str, ...] = ("person", "dog"), files: tuple[str, ...] = ("a.jpg", "b.png")) -> Path:
        run, images = tmp_path / "run", tmp_path / "images"
        run.mkdir()
        images.mkdir()
        rng = np.random.default_rng(0)
        for name in files:
            Image.fromarray(rng.integers(0, 256, (60, 80, 3), dtype=np.uint8)).save(images / name)
        truth = {
            "images": [{"id": k, "file_name": n, "width": 80, "height": 60} for k, n in enumerate(files)],
            "categories": [{"id": k, "name": n} for k, n in enumerate(names)],
            "annotations": [
                {"id": k, "image_id": k % len(files), "category_id": k % len(names), "area": 600,
                 "bbox": [5 * k, 5, 20, 30], "iscrowd": 0} for k in range(6)
            ],
        }  # fmt: skip
        (tmp_path / "val.json").write_text(json.dumps(truth))
        detections = [
            {"image_id": 0, "category_id": 0, "bbox": [1, 5, 20, 30], "score": 0.9},
            {"image_id": 1, "category_id": len(names) - 1, "bbox": [50, 20, 20, 30], "score": 0.7},
        ]
        (run / "results.json").write_text(json.dumps(detections))
        (run / "config.json").write_text(json.dumps(experiment()))
        (run / "log.jsonl").write_text("\n".join(json.dumps(line) for line in log_lines()) + "\n")
        about = {
            "recipe": "smoke", "command": "amidst train smoke", "started": "2026-03-01T10:00:00",
            "seconds": 75.0, "device": "CPU", "train_annotations": "train.json", "train_images": "images",
            "val_annotations": str(tmp_path / "val.json"), "val_images": str(images),
            "amidst_version": "0.1.0", "torch_version": "2.13.0",
        }  # fmt: skip
        (run / "run.json").write_text(json.dumps(about))
        return run

    return make


def test_a_whole_run_has_every_section(make_run: Callable[..., Path]) -> None:
    run = make_run()
    path = write_report(run)
    assert path == run / "report.html"
    page = Page(path.read_text())
    assert page.ids >= SECTIONS
    for words in (
        "smoke",
        "1 March 2026",
        "1 min 15 s",
        "AP50",
        "amidst train smoke",
        "resize.short",
        "2.13.0",
    ):
        assert words in page.text
    assert page.text.count("truth") >= 2
    assert not [f for f in run.iterdir() if f.suffix == ".tmp"]


def test_the_page_loads_nothing(make_run: Callable[..., Path]) -> None:
    text = write_report(make_run()).read_text()
    page = Page(text)
    for tag, name, value in page.attributes:
        if name in {"src", "href", "action", "srcset", "data", "poster"}:
            assert value.startswith(("#", "data:")), (tag, name, value)
    assert not re.search(r"https?://|@import|//cdn", text)
    assert all(url.startswith("data:") for url in re.findall(r"url\(([^)]{0,30})", text))
    policy = next(v for t, n, v in page.attributes if n == "content" and "default-src" in v)
    (script,) = page.scripts
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy


def test_photographs_stand_once_and_worst_first(make_run: Callable[..., Path]) -> None:
    text = write_report(make_run()).read_text()
    assert text.count("data:image/jpeg") == 2
    first, second = re.findall(r'data-count="missed">(\d+)<', text)
    assert int(first) >= int(second)
    data = re.search(r"url\(data:image/jpeg;base64,([^)]+)\)", text)
    assert data is not None
    assert base64.b64decode(data[1])[:2] == b"\xff\xd8"


def test_hostile_names_are_shown_not_run(make_run: Callable[..., Path]) -> None:
    quoted = 'it\'s "quoted" & 100% <b>.png'
    run = make_run(names=(EVIL, "dog"), files=(quoted, "b.png"))
    about = json.loads((run / "run.json").read_text())
    about |= {"command": f"amidst train {EVIL}", "recipe": EVIL, "device": EVIL, "started": EVIL}
    (run / "run.json").write_text(json.dumps(about))
    (run / "config.json").write_text(json.dumps({EVIL: {EVIL: EVIL}, "x": [EVIL]}))
    lines = [*log_lines(), {"step": 41, "loss": 1.0, "losses": {EVIL: 1.0}}]
    (run / "log.jsonl").write_text("\n".join(json.dumps(line) for line in lines))
    text = write_report(run).read_text()
    page = Page(text)
    assert len(page.scripts) == 1
    assert "alert" not in page.scripts[0]
    assert "<script>alert" not in text
    assert EVIL in page.text
    assert quoted in page.text
    assert not any(name.startswith("on") for _, name, _ in page.attributes)


@pytest.mark.parametrize(
    "missing", ["run.json", "config.json", "log.jsonl", "results.json", "val.json", "images"]
)
def test_what_is_missing_is_noted(make_run: Callable[..., Path], missing: str) -> None:
    run = make_run()
    target = run / missing if (run / missing).exists() else run.parent / missing
    target.rename(target.with_name("gone"))
    page = Page(write_report(run).read_text())
    notes = [
        value for _, name, value in page.attributes if name == "aria-label" and value == "What is missing"
    ]
    assert notes
    assert "card" in page.ids


@pytest.mark.parametrize("name", ["run.json", "config.json", "log.jsonl", "results.json", "summary.json"])
@pytest.mark.parametrize("content", [b"", b"{", b"\x00\xff", b"[1]", b'{"a": null}', b"null"])
def test_what_is_broken_is_noted(make_run: Callable[..., Path], name: str, content: bytes) -> None:
    run = make_run()
    (run / name).write_bytes(content)
    assert "card" in Page(write_report(run).read_text()).ids


def test_the_numbers_written_by_the_run_stand_in(make_run: Callable[..., Path]) -> None:
    run = make_run()
    (run / "results.json").unlink()
    names = ("ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large")
    names += ("ar_1", "ar_10", "ar_100", "ar_small", "ar_medium", "ar_large")
    (run / "summary.json").write_text(json.dumps(dict.fromkeys(names, 0.123) | {"ar_large": -1.0}))
    page = Page(write_report(run).read_text())
    assert page.text.count("0.123") >= 11
    assert "pictures" not in page.ids


def test_a_broken_photograph_is_left_out_and_named(make_run: Callable[..., Path]) -> None:
    run = make_run()
    (run.parent / "images" / "a.jpg").write_bytes(b"not a picture")
    text = write_report(run).read_text()
    assert "a.jpg" in Page(text).text
    assert text.count("data:image/jpeg") == 1


def test_nothing_found_and_nothing_to_find(make_run: Callable[..., Path]) -> None:
    run = make_run()
    (run / "results.json").write_text("[]")
    assert "pictures" in Page(write_report(run).read_text()).ids
    truth = json.loads((run.parent / "val.json").read_text())
    (run.parent / "val.json").write_text(json.dumps(truth | {"annotations": []}))
    assert "pictures" in Page(write_report(run).read_text()).ids


def test_a_single_category_is_not_named_on_every_box(make_run: Callable[..., Path]) -> None:
    text = write_report(make_run(names=("person",))).read_text()
    assert "<span>0.90</span>" in text
    assert "<span>person" not in text


def test_output_elsewhere(make_run: Callable[..., Path], tmp_path: Path) -> None:
    path = tmp_path / "deep" / "mine.html"
    assert write_report(make_run(), path) == path
    assert path.is_file()


def test_a_folder_that_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="none of"):
        write_report(tmp_path)
    with pytest.raises(UsageError, match="no folder"):
        write_report(tmp_path / "absent")
    assert not list(tmp_path.iterdir())

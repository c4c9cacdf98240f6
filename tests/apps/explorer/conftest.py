"""A small dataset in two splits with detections and captions, and a running explorer over it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest
from PIL import Image as PillowImage

from amidst.apps.explorer.captions import load_captions
from amidst.apps.explorer.index import Index, Split
from amidst.apps.explorer.server import Explorer, make_explorer, make_server
from amidst.coco import Annotation, Category, CocoDataset, Image, Results, Rle

CATS = (Category(1, "dog", "animal"), Category(7, "bus", "vehicle"))
TRIANGLE = ((10.0, 10.0, 60.0, 10.0, 10.0, 60.0),)


def splits() -> list[Split]:
    """Rows 0 to 2 are "train", 3 and 4 "val"; the categories of "val" are numbered otherwise."""
    train = CocoDataset(
        (Image(5, 120, 80, "a.jpg"), Image(0, 80, 120, "b.jpg"), Image(9, 60, 60, "sub/empty.png")),
        (
            Annotation(1, 5, 1, (10, 10, 50, 50), 1250, segmentation=TRIANGLE),
            Annotation(2, 5, 7, (80, 10, 20, 20), 400),
            Annotation(
                3, 5, 1, (0, 60, 120, 20), 2400, iscrowd=True, segmentation=Rle((80, 120), (60, 20, 9520))
            ),
            Annotation(4, 0, 1, (0, 0, 80, 120), 9600),
        ),
        CATS,
    )
    val = CocoDataset(
        (Image(50, 60, 60, "c.jpg"), Image(51, 60, 60, "gone.jpg")),
        (Annotation(1, 50, 2, (5, 5, 30, 30), 900), Annotation(2, 51, 3, (5, 5, 30, 30), 900)),
        (Category(2, "bus", "vehicle"), Category(3, "<b>cat</b>", "animal")),
    )
    found = Results(
        np.array([5, 5, 5, 0]),
        np.array([1, 7, 7, 1]),
        np.array([0.9, 0.8, 0.2, 0.6]),
        np.array([[12, 10, 50, 50], [20, 40, 20, 20], [80, 10, 20, 20], [0, 0, 80, 120.0]]),
    )
    return [Split("train", train, found), Split("val", val)]


@pytest.fixture(scope="session")
def index() -> Index:
    """Of both splits."""
    return Index(splits())


@pytest.fixture(scope="session")
def explorer(tmp_path_factory: pytest.TempPathFactory, index: Index) -> Explorer:
    """With pictures of all images but `gone.jpg`, and a file outside the folder that no request may reach."""
    base = tmp_path_factory.mktemp("explorer")
    (base / "images/sub").mkdir(parents=True)
    (base / "secret.jpg").write_bytes(b"not for sale")
    for image in index.images:
        if image.file_name != "gone.jpg":
            pixels = np.full((image.height, image.width, 3), 40 + 10 * (image.id % 20), np.uint8)
            pixels[: image.height // 2] = (200, 120, 40)
            PillowImage.fromarray(pixels).save(base / "images" / image.file_name)
    sentences = {"annotations": [{"image_id": 5, "id": 1, "caption": "A dog waits for a bus."}]}
    (base / "captions.json").write_text(json.dumps(sentences))
    return make_explorer(index, [base / "images"], "two splits", load_captions(base / "captions.json"))


@dataclass(frozen=True)
class Running:
    """A server that answers."""

    port: int

    @property
    def address(self) -> str:
        """Of the page."""
        return f"http://127.0.0.1:{self.port}/"


@pytest.fixture(scope="session")
def running(explorer: Explorer) -> Iterator[Running]:
    """The explorer, served from a thread."""
    server = make_server(explorer)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield Running(int(server.server_address[1]))
    server.shutdown()
    thread.join()
    server.server_close()

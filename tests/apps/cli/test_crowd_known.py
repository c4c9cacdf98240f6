"""`amidst crowd init | add --known`; from photographs to a COCO file by command line and workers alone."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as PillowImage
from sqlalchemy import select

from amidst.apps.cli.root import run
from amidst.coco import masks
from amidst.coco.dataset import CocoDataset
from amidst.coco.records import Annotation
from amidst.crowd import engine
from amidst.crowd.bodies import (
    Client,
    LabellingTask,
    SegmentationTask,
    SpottingTask,
    TrainingTask,
    VerificationTask,
)
from amidst.crowd.config import Stage
from amidst.crowd.outlines import first_crossing
from amidst.crowd.results import NoWork, Receipt, Ticket
from amidst.crowd.schema import image
from amidst.crowd.store import Store, open_store
from amidst.crowd.training import inner_point
from amidst.data import sample_dir

PHOTOGRAPHS = ("000000000030.jpg", "000000000086.jpg")
STAGES: tuple[Stage, ...] = ("labelling", "spotting", "segmentation", "verification")
FEW = ["--set", "labelling.workers=2", "--set", "spotting.workers=2"]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in PHOTOGRAPHS:
        shutil.copy(sample_dir() / "images" / name, folder)
    return folder


@pytest.fixture
def known(tmp_path: Path) -> list[str]:
    """The bundled sample's validation part, none of whose photographs is labelled here: masks of which every
    outline can be drawn, for some of COCO's cross themselves.
    """
    part = CocoDataset.load(sample_dir() / "annotations" / "val.json")
    drawn = tuple(one for one in part.annotations if not one.iscrowd and simple(one))
    replace(part, annotations=drawn).save(tmp_path / "known.json")
    return ["--known", str(tmp_path / "known.json"), "--known-images", str(sample_dir() / "images")]


def simple(one: Annotation) -> bool:
    outline = one.segmentation
    assert isinstance(outline, tuple)
    return all(first_crossing(list(zip(part[::2], part[1::2], strict=True))) is None for part in outline)


class Painter:
    """Somebody who sees what the annotations of the sample say."""

    def __init__(self, names: dict[int, str], sizes: dict[int, tuple[int, int]]) -> None:
        self._names, self._sizes = names, sizes
        self._truth: defaultdict[str, list[Annotation]] = defaultdict(list)
        for part in ("train", "val"):
            dataset = CocoDataset.load(sample_dir() / "annotations" / f"{part}.json")
            files = {one.id: one.file_name for one in dataset.images}
            for one in dataset.annotations:
                if not one.iscrowd:
                    self._truth[files[one.image_id]].append(one)

    def things(self, image_id: int, category_id: int | None = None) -> list[tuple[Annotation, Any]]:
        found = self._truth[self._names[image_id]]
        return [
            (one, masks.from_segmentation(one.segmentation or (), self._sizes[image_id]))
            for one in found
            if category_id in (None, one.category_id)
        ]

    def answer(self, task: Any) -> Any:
        if isinstance(task, LabellingTask):
            first = {one.category_id: inner_point(mask) for one, mask in self.things(task.image.id)}
            return {"panels": [self._panel(panel, first) for panel in task.panels]}
        if isinstance(task, SpottingTask):
            points = [inner_point(mask) for _, mask in self.things(task.image.id, task.category.id)]
            return {"points": [{"x": x, "y": y} for x, y in points]}
        if isinstance(task, TrainingTask | SegmentationTask):
            x, y = task.target_xy
            for one, mask in self.things(task.image.id, task.category.id):
                if masks.decode([mask])[0, int(y), int(x)]:
                    parts = [list(zip(part[::2], part[1::2], strict=True)) for part in one.segmentation or ()]
                    return {"kind": "mask", "parts": [{"points": points} for points in parts]}
            raise AssertionError(task)
        assert isinstance(task, VerificationTask)
        return {"bad": [place for place, item in enumerate(task.items) if not self._good(item)]}

    def _good(self, item: Any) -> bool:
        true = [mask for _, mask in self.things(item.image.id, item.category.id)]
        return bool(masks.iou([item.mask], true).max() > 0.7)

    @staticmethod
    def _panel(panel: Any, first: dict[int, tuple[float, float]]) -> dict[str, Any]:
        there = [one.id for one in panel.categories if one.id in first]
        icons = [{"category": key, "x": first[key][0], "y": first[key][1]} for key in there]
        return {"super": panel.super, "present": bool(there), "icons": icons}


async def label(folder: Path, workers: int) -> list[NoWork]:
    """New workers do everything that they get; what they are told at the end, stage by stage."""

    async def play(store: Store) -> list[NoWork]:
        people = [await engine.add_worker(store, "", 1) for _ in range(workers)]
        query = select(image.c.id, image.c.file_name, image.c.height, image.c.width)
        rows = await store.read(lambda c: c.execute(query).all())
        painter = Painter({row[0]: row[1] for row in rows}, {row[0]: (row[2], row[3]) for row in rows})
        at, told, worked = 10**16, [], True
        while worked:
            worked, told = False, []
            for who in people:
                for stage in STAGES:
                    at += 10**10  # a small grid has waited long enough
                    got = await engine.lease(store, who, stage, at)
                    if not isinstance(got, Ticket):
                        told.append(got)
                        continue
                    body = painter.answer(got.task)
                    receipt = await engine.submit(
                        store, who, got.id, got.token, f"key {got.id}", body, Client(), at
                    )
                    assert isinstance(receipt, Receipt), receipt
                    assert receipt.status == "accepted", (stage, receipt)
                    worked = True
        return told

    store = await open_store(folder / "campaign.db", durable=False)
    try:
        return await play(store)
    finally:
        await store.close()


def init(folder: Path, photos: Path, *words: str) -> int:
    names = str(sample_dir() / "annotations" / "val.json")
    return run(["crowd", "init", str(folder), "--images", str(photos), "--categories", names, *FEW, *words])


@pytest.mark.parametrize("at_once", [True, False])
def test_photographs_become_a_coco_file_by_the_command_line_alone(
    tmp_path: Path, photos: Path, known: list[str], capsys: Any, at_once: bool
) -> None:
    folder, out = tmp_path / "campaign", tmp_path / "out.json"
    assert init(folder, photos, *(known if at_once else ())) == 0
    if not at_once:
        told = asyncio.run(label(folder, 3))
        assert NoWork(reason="no_gold") in told
        capsys.readouterr()
        assert run(["crowd", "status", str(folder)]) == 0
        said = capsys.readouterr().err
        assert "no known mask to train workers on" in said
        assert "amidst crowd add DIR --known COCO.json" in said
        assert run(["crowd", "add", str(folder), *known]) == 0
        assert "known masks" in capsys.readouterr().err
    assert NoWork(reason="no_gold") not in asyncio.run(label(folder, 5))
    capsys.readouterr()
    assert run(["crowd", "status", str(folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["lacking"] == []
    assert run(["crowd", "export", str(folder), "-o", str(out)]) == 0
    assert run(["crowd", "doctor", str(folder)]) == 0
    found, true = CocoDataset.load(out), CocoDataset.load(sample_dir() / "annotations" / "train.json")
    assert [one.file_name for one in found.images] == list(PHOTOGRAPHS)  # no known photograph is released
    wanted = {one.id for one in true.images if one.file_name in PHOTOGRAPHS}
    objects = [one for one in true.annotations if one.image_id in wanted]
    assert sorted(one.category_id for one in found.annotations) == sorted(one.category_id for one in objects)
    for one in found.annotations:
        assert min(abs(one.area - other.area) / other.area for other in objects) < 0.02


def write_known(folder: Path, names: dict[str, tuple[int, int]], category: str = "robin") -> Path:
    """Photographs of a size, each said to be 64 x 48 with a square mask."""
    folder.mkdir()
    images, annotations = [], []
    for number, (name, size) in enumerate(names.items(), 1):
        PillowImage.new("RGB", size, (0, 60 * number, 9)).save(folder / name)
        images.append({"id": number, "file_name": name, "width": 64, "height": 48})
        square = {"bbox": [5, 5, 20, 20], "area": 400, "segmentation": [[5, 5, 25, 5, 25, 25, 5, 25]]}
        annotations.append({"id": number, "image_id": number, "category_id": 1, "iscrowd": 0, **square})
    content = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": category}]}
    file = folder / "known.json"
    file.write_text(json.dumps(content))
    return file


@pytest.fixture
def birds(tmp_path: Path) -> list[str]:
    """Words of `init` for a campaign of one photograph and one category."""
    (tmp_path / "mine").mkdir()
    PillowImage.new("RGB", (64, 48), (200, 0, 0)).save(tmp_path / "mine" / "a.png")
    (tmp_path / "names.txt").write_text("robin\n")
    names = ["--images", str(tmp_path / "mine"), "--categories", str(tmp_path / "names.txt")]
    return ["crowd", "init", str(tmp_path / "campaign"), *names]


@pytest.mark.parametrize(
    ("category", "size", "complaint"),
    [
        ("wren", (64, 48), "that the campaign has not: 1 wren"),
        ("robin", (48, 64), "48 x 64 upright, 64 x 48 in"),
    ],
)
def test_init_refuses_what_cannot_be_known_and_leaves_nothing(
    tmp_path: Path, birds: list[str], capsys: Any, category: str, size: tuple[int, int], complaint: str
) -> None:
    file = write_known(tmp_path / "known", {"k.png": size}, category)
    assert run([*birds, "--known", str(file)]) == 1
    assert complaint in capsys.readouterr().err
    assert not (tmp_path / "campaign").exists()


def test_a_folder_needs_its_file_and_has_to_be_there(tmp_path: Path, birds: list[str], capsys: Any) -> None:
    assert run([*birds, "--known-images", str(tmp_path)]) == 2
    assert "--known-images without --known" in capsys.readouterr().err
    file = write_known(tmp_path / "known", {"k.png": (64, 48)})
    assert run([*birds, "--known", str(file), "--known-images", "nowhere"]) == 2
    assert "there is no such folder" in capsys.readouterr().err


def test_a_damaged_mask_is_named(tmp_path: Path, birds: list[str], capsys: Any) -> None:
    file = write_known(tmp_path / "known", {"k.png": (64, 48)})
    file.write_text(file.read_text().replace("[[5, 5, 25, 5, 25, 25, 5, 25]]", "[[5, 5, 25]]"))
    assert run([*birds, "--known", str(file)]) == 1
    assert "annotation 1" in capsys.readouterr().err


def test_a_known_photograph_is_not_labelled(tmp_path: Path, birds: list[str], capsys: Any) -> None:
    file = write_known(tmp_path / "known", {"k.png": (64, 48), "l.png": (64, 48)})
    shutil.copy(tmp_path / "known" / "k.png", tmp_path / "mine" / "same.png")
    assert run([*birds, "--known", str(file)]) == 0
    assert "1 images and 1 categories and 2 known masks in 2 images" in capsys.readouterr().err
    other = write_known(tmp_path / "more", {"b.png": (64, 48)})
    shutil.copy(tmp_path / "mine" / "a.png", tmp_path / "more" / "b.png")
    assert run(["crowd", "add", str(tmp_path / "campaign"), "--known", str(other)]) == 1
    assert "'a.png' of the campaign: one that is labelled cannot be known" in capsys.readouterr().err

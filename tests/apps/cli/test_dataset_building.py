"""From a pile of photographs to a release, typed."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import amidst as package

SAMPLE = Path(package.__file__).parent / "data" / "sample" / "images"


def photograph(folder: Path, name: str, source: Path, **fields: object) -> None:
    """A photograph with its sidecar."""
    folder.mkdir(exist_ok=True)
    shutil.copy(source, folder / f"{name}.jpg")
    sidecar = {"licence": "CC BY 4.0", "attribution": "Ann", "photographer": "ann"} | fields
    (folder / f"{name}.json").write_text(json.dumps(sidecar))


@pytest.fixture
def pile(tmp_path: Path) -> Path:
    """Five photographs: two of Ann's on one day, two of Bob's on different days, one a smaller copy of
    Bob's first.
    """
    folder, photos = tmp_path / "pile", sorted(SAMPLE.glob("*.jpg"))
    photograph(folder, "a1", photos[0], taken_at="2014-05-01T08:00:00")
    photograph(folder, "a2", photos[1], taken_at="2014-05-01T18:00:00")
    photograph(folder, "b1", photos[2], photographer="bob", taken_at="2014-05-01")
    photograph(folder, "b2", photos[3], photographer="bob", taken_at="2014-06-01")
    photograph(folder, "c1", photos[2], photographer="cy", taken_at="2014-07-01")
    with Image.open(photos[2]) as picture:
        picture.resize((picture.width // 2, picture.height // 2)).save(folder / "c1.jpg")
    return folder


def test_from_a_pile_to_a_release(amidst: Any, pile: Path, tmp_path: Path) -> None:
    typed = amidst("collect", "fetch", pile, "-o", tmp_path / "collection")
    assert typed.code == 0, typed.err
    collection, images = tmp_path / "collection" / "collection.json", tmp_path / "collection" / "images"

    found = amidst("dataset", "duplicates", images, "--ann", collection, "-o", tmp_path / "d.json", "--json")
    assert found.code == 1
    assert found.json["images"] == 5
    assert found.json["groups"] == [{"keep": "000000000001.jpg", "duplicates": ["000000000005.jpg"]}]
    assert json.loads((tmp_path / "d.json").read_text()) == found.json

    split = (
        "dataset",
        "split",
        collection,
        "--duplicates",
        tmp_path / "d.json",
        "--ratio",
        "train=0.6",
        "--ratio",
    )
    typed = amidst(*split, "test=0.4", "-o", tmp_path / "s.json", "--json")
    assert typed.code == 0, typed.err
    splits = json.loads((tmp_path / "s.json").read_text())["splits"]
    home = {image_id: name for name, ids in splits.items() for image_id in ids}
    assert home[2] == home[3]  # Ann's day; ids are given in order of time
    assert home[1] == home[5]  # Bob's photograph and its copy
    again = amidst(
        *split, "test=0.4", "-o", tmp_path / "s2.json", "--released", tmp_path / "s.json", "--drop"
    )
    assert again.code == 0, again.err
    assert json.loads((tmp_path / "s2.json").read_text())["splits"] == splits  # released ones are not dropped

    typed = amidst(
        "dataset", "release", collection, "--splits", tmp_path / "s.json", "-o", tmp_path / "r-1.0",
        "--name", "pile", "--hidden", "test", "--archive", tmp_path / "r.zip", "--json",
    )  # fmt: skip
    assert typed.code == 0, typed.err
    assert "annotations/image_info_test.json" in typed.json["files"]
    with zipfile.ZipFile(tmp_path / "r.zip") as archive:
        assert "r-1.0/manifest.json" in archive.namelist()
    assert amidst("dataset", "verify", tmp_path / "r-1.0").code == 0
    (tmp_path / "r-1.0" / "manifest.json").unlink()
    changed = amidst("dataset", "verify", tmp_path / "r-1.0", "--json")
    assert (changed.code, changed.json["changed"]) == (1, ["manifest.json"])


def test_an_empty_folder_has_no_duplicates(amidst: Any, tmp_path: Path) -> None:
    typed = amidst("dataset", "duplicates", tmp_path, "--json")
    assert (typed.code, typed.json["images"]) == (0, 0)


def test_broken_files_are_findings(amidst: Any, pile: Path, tmp_path: Path) -> None:
    (pile / "d1.jpg").write_bytes(b"no picture")
    typed = amidst("dataset", "duplicates", pile, "--cache", tmp_path / "cache", "--set", "crops=false")
    assert typed.code == 1
    assert "d1.jpg: not an image of a known format [unreadable-image]" in typed.err
    assert (tmp_path / "cache").is_file()


def test_embeddings_of_broken_files_are_passed_over(amidst: Any, pile: Path, tmp_path: Path) -> None:
    (pile / "a0.jpg").write_bytes(b"no picture")
    vectors = np.eye(6, dtype=np.float32)
    vectors[5] = vectors[3]  # files in order: a0 (broken), a1, a2, b1, b2, c1
    np.save(tmp_path / "v.npy", vectors)
    typed = amidst("dataset", "duplicates", pile, "--embeddings", tmp_path / "v.npy", "--json")
    assert [(p["a"], p["b"], p["method"]) for p in typed.json["pairs"]] == [("b1.jpg", "c1.jpg", "embedding")]


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("dataset", "duplicates", "nowhere"), "there is no folder nowhere"),
        (("dataset", "duplicates", ".", "--embeddings", "nothing.npy"), "nothing.npy: not a .npy array"),
        (("dataset", "duplicates", ".", "--set", "near=1"), "unknown configuration key 'near'"),
        (
            ("dataset", "split", "{ann}", "-o", "s.json", "--ratio", "train"),
            "--ratio train: expected name=share",
        ),
        (("dataset", "split", "{ann}", "-o", "s.json", "--ratio", "train=0.4"), "must sum to 1, not 0.4"),
        (("dataset", "split", "{ann}", "-o", "s.json", "--released", "none.json"), "cannot read none.json"),
        (("dataset", "release", "{ann}", "-o", "r", "--splits", "none.json"), "cannot read none.json"),
        (("dataset", "verify", "."), "is no release"),
        (("dataset", "convert", "{ann}", "{ann}"), "exists already"),
        (("dataset", "convert", "labels", "out.json", "--from", "yolo"), "give their folder by --images"),
        (("collect", "fetch", "nowhere.xlsx", "-o", "c"), "is a .csv or .jsonl file"),
        (("collect", "fetch", "service.json", "-o", "c"), "needs --searches"),
        (("collect", "select", "votes.csv"), "cannot read votes.csv"),
    ],
)
def test_wrong_calls_end_in_one_line(
    amidst: Any,
    data: Any,
    words: tuple[str, ...],
    problem: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    typed = amidst(*(data.train if word == "{ann}" else word for word in words))
    assert typed.code == 2
    assert problem in typed.err
    assert typed.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "text", "words", "problem"),
    [
        ("s.json", '{"splits": {"a": [0], "b": [0]}}', ("split", "--released"), "an image is in two splits"),
        ("s.json", '{"splits": {"train": [77]}}', ("split", "--released"), "image 77"),
        (
            "d.json",
            '{"pairs": [{"a": "x", "b": "y"}], "groups": []}',
            ("split", "--duplicates"),
            "'x' is no image",
        ),
        ("d.json", "[]", ("split", "--duplicates"), "not what this command reads"),
    ],
)
def test_bad_files_are_findings(
    amidst: Any, data: Any, name: str, text: str, words: tuple[str, str], problem: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(text)
    command, option = words
    typed = amidst("dataset", command, data.train, "-o", tmp_path / "out", option, tmp_path / name)
    assert typed.code == 1
    assert problem in typed.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", ["yolo", "voc", "labelme", "cvat"])
def test_convert_there_and_back(amidst: Any, data: Any, kind: str, tmp_path: Path) -> None:
    there = amidst("dataset", "convert", data.train, tmp_path / "there", "--to", kind, "--outlines", "--json")
    assert there.code == 0, there.err
    lost = {"voc": {"masks reduced to boxes": 6}, "cvat": {"images numbered anew": 6}}
    assert there.json["lost"] == lost.get(kind, {})
    back = amidst(
        "dataset", "convert", tmp_path / "there", tmp_path / "back.json", "--from", kind,
        "--images", data.images, "--like", data.train, "--json",
    )  # fmt: skip
    assert back.code == 0, back.err
    if kind == "yolo":  # the folder also holds the images of the other split
        assert back.json["annotations"] == 6
        return
    ours, theirs = (json.loads(file.read_text()) for file in (tmp_path / "back.json", data.train))
    assert sorted(ours["images"], key=lambda i: i["id"]) == theirs["images"]
    assert [a["bbox"] for a in ours["annotations"]] == [a["bbox"] for a in theirs["annotations"]]


def test_plan(amidst: Any, tmp_path: Path) -> None:
    typed = amidst("collect", "plan", "-o", tmp_path / "q.jsonl", "--short", "toaster", "--json")
    assert typed.json["searches"] == {"object-object": 4095, "object-scene": 3640, "object": 1}
    assert len((tmp_path / "q.jsonl").read_text().splitlines()) == 7736


def test_select(amidst: Any, tmp_path: Path) -> None:
    (tmp_path / "v.csv").write_text(
        "voter,candidate,points\nann,zebra,5\nbob,zebra,4\nann,moon,1\nbob,moon,1\n"
    )
    typed = amidst("collect", "select", tmp_path / "v.csv", "--set", "target=21", "--json")
    assert typed.code == 0, typed.err
    assert typed.json["taken"][0] == "zebra"
    reasons = {c["name"]: c["reason"] for c in typed.json["candidates"]}
    assert len(reasons) == 269  # towel, bat and window stand twice among the 272
    assert reasons["dog"] == "mandatory"
    assert reasons["moon"].startswith("target: 21 are taken")


def test_one_voter_agrees_with_nobody(amidst: Any, tmp_path: Path) -> None:
    (tmp_path / "v.csv").write_text("voter,candidate,points\nann,zebra,5\nann,moon,1\n")
    typed = amidst("collect", "select", tmp_path / "v.csv", "--set", "target=21")
    assert typed.code == 0, typed.err
    assert "too few votes to compare" in typed.err
    assert "nan" not in typed.err


def test_refused_photographs_are_findings(amidst: Any, pile: Path, tmp_path: Path) -> None:
    photograph(pile, "e1", sorted(SAMPLE.glob("*.jpg"))[4], licence="CC BY-NC 2.0")
    archive = shutil.make_archive(str(tmp_path / "pile"), "zip", pile)
    typed = amidst("collect", "fetch", archive, "-o", tmp_path / "c", "--json")
    assert (typed.code, typed.json["images"], typed.json["refused"]) == (1, 5, {"licence": 1})

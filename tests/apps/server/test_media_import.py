"""Folders of pictures: names and links that lead out, pictures that crash or swell."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image as PillowImage

from amidst.apps.server.media import MediaStore
from amidst.apps.server.media_import import find_pictures, import_folder, name_problem


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "photos" / "deep").mkdir(parents=True)
    for name in ("b.jpg", "a.PNG", "deep/c.webp"):
        PillowImage.new("RGB", (8, 6), (len(name), 0, 0)).save(tmp_path / "photos" / name)
    (tmp_path / "photos" / "notes.txt").write_text("no picture")
    return tmp_path / "photos"


def test_an_empty_folder(tmp_path: Path) -> None:
    assert find_pictures(tmp_path) == []
    assert list(import_folder(tmp_path, [], MediaStore(tmp_path / "media"))) == []


def test_pictures_are_found_by_their_endings_in_order(folder: Path) -> None:
    assert find_pictures(folder) == ["a.PNG", "b.jpg", "deep/c.webp"]


def test_a_broken_file_and_a_link_out_stop_nobody(folder: Path, tmp_path: Path) -> None:
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff no")
    PillowImage.new("RGB", (8, 6)).save(tmp_path / "secret.jpg")
    (folder / "link.jpg").symlink_to(tmp_path / "secret.jpg")
    (folder / "own.jpg").symlink_to(folder / "b.jpg")
    names = find_pictures(folder)
    found = {
        one.file_name: one for one in import_folder(folder, names, MediaStore(tmp_path / "media"), workers=1)
    }
    assert list(found) == names
    assert sorted(name for name in names if found[name].stored) == [
        "a.PNG",
        "b.jpg",
        "deep/c.webp",
        "own.jpg",
    ]
    assert "outside-folder" in found["link.jpg"].problem
    assert "unreadable-image" in found["broken.jpg"].problem


def test_a_linked_folder_is_not_entered(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    PillowImage.new("RGB", (8, 6)).save(tmp_path / "elsewhere" / "x.jpg")
    (folder / "linked").symlink_to(tmp_path / "elsewhere")
    assert "linked/x.jpg" not in find_pictures(folder)


PIECES = [
    "..",
    ".",
    "",
    "a",
    "b.jpg",
    "~",
    "/",
    "\\",
    "C:",
    "con",
    "nul.jpg",
    "x" * 400,
    "\x00",
    "\n",
    "\ud800",
]


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=12), min_size=1, max_size=6).map("/".join))
@example("../x.jpg")
@example("/etc/passwd")
@example("a/../../x.jpg")
@example("..\\x.jpg")
@example("COM1.jpg")
def test_a_name_that_is_taken_stays_in_its_folder_on_every_system(name: str) -> None:
    if name_problem(name):
        return
    parts = name.split("/")
    assert not {"", ".", ".."} & set(parts)
    assert not set(name) & set('\\:*?"<>|\x00\n')
    assert (Path("/base") / name).resolve().is_relative_to("/base")


@pytest.mark.parametrize("name", ["a.jpg", "2024/05/été.jpg", "写真.png", "with blank.jpg", "con-fetti.jpg"])
def test_ordinary_names_are_taken(name: str) -> None:
    assert name_problem(name) == ""

from __future__ import annotations

from pathlib import Path

import pytest

from amidst.errors import UsageError
from amidst.inference.finding import expect_folder, find_images, is_image_name, is_video_name


def touch(folder: Path, *names: str) -> list[Path]:
    paths = [folder / name for name in names]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return paths


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.jpg", True),
        ("a.JPEG", True),
        ("b.tif", True),
        ("a.txt", False),
        ("jpg", False),
        (".jpg", False),
        ("a.jpg.bak", False),
    ],
)
def test_image_names(name: str, expected: bool) -> None:
    assert is_image_name(name) is expected


@pytest.mark.parametrize(
    ("name", "expected"), [("a.mp4", True), ("a.MOV", True), ("a.jpg", False), (".mkv", False), ("", False)]
)
def test_video_names(name: str, expected: bool) -> None:
    assert is_video_name(name) is expected


def test_folders_are_searched_recursively_in_stable_order(tmp_path: Path) -> None:
    touch(tmp_path, "b/2.jpg", "b/10.png", "a.webp", "notes.txt", ".hidden/x.jpg", "._a.jpg", "b/c/z.JPG")
    found = [path.relative_to(tmp_path).as_posix() for path in find_images([tmp_path])]
    assert found == ["a.webp", "b/10.png", "b/2.jpg", "b/c/z.JPG"]


def test_arguments_keep_their_order_and_stand_once(tmp_path: Path) -> None:
    first, second = touch(tmp_path, "z/1.jpg", "a/2.jpg")
    assert find_images([first, second.parent, first.parent]) == [first, second]


def test_a_named_file_needs_no_suffix(tmp_path: Path) -> None:
    (path,) = touch(tmp_path, "photo")
    assert find_images([path]) == [path]


def test_a_folder_named_like_an_image_is_a_folder(tmp_path: Path) -> None:
    (path,) = touch(tmp_path, "album.jpg/1.jpg")
    assert find_images([tmp_path]) == [path]


@pytest.mark.parametrize(
    ("words", "message"),
    [([], "no image given"), (["nowhere"], "no such file"), (["empty"], "no image in this folder")],
)
def test_nothing_to_look_at(tmp_path: Path, words: list[str], message: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=message):
        find_images([tmp_path / word for word in words])


def test_expect_folder(tmp_path: Path) -> None:
    (file,) = touch(tmp_path, "file")
    assert expect_folder(str(tmp_path)) == tmp_path
    with pytest.raises(UsageError, match="not a folder"):
        expect_folder(file)
    with pytest.raises(UsageError, match="no such folder"):
        expect_folder(tmp_path / "nowhere")

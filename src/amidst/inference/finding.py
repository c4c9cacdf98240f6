"""From what a user names (files, folders) to a list of image files. Does not import torch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from amidst.errors import UsageError

IMAGE_SUFFIXES = frozenset(
    {
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".png",
        ".bmp",
        ".gif",
        ".tif",
        ".tiff",
        ".webp",
        ".ppm",
        ".pgm",
        ".pnm",
    }
)


VIDEO_SUFFIXES = frozenset(
    {".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".mts", ".m2ts", ".ts", ".wmv", ".flv"}
)


def is_video_name(path: str | Path) -> bool:
    """Whether the name ends like a video file. The file need not exist."""
    return Path(path).suffix.lower() in VIDEO_SUFFIXES


def is_image_name(path: str | Path) -> bool:
    """Whether the name ends like an image file. The file need not exist."""
    return Path(path).suffix.lower() in IMAGE_SUFFIXES


def expect_folder(folder: str | Path) -> Path:
    """`folder` as a path. Raises UsageError unless it is a folder."""
    path = Path(folder)
    if not path.is_dir():
        raise UsageError(f"{path}: {'not a folder' if path.exists() else 'no such folder'}")
    return path


def find_images(paths: Sequence[str | Path]) -> list[Path]:
    """Image files under `paths`, in the order given; inside a folder recursively and by name.

    A file named directly is taken whatever its suffix; in folders only `IMAGE_SUFFIXES` count, and hidden
    files and folders are passed over. A file reached twice stands once. Raises UsageError for a path that
    does not exist, for a folder without an image, and for an empty list.
    """
    if not paths:
        raise UsageError("no image given: name files or folders")
    found: dict[Path, None] = {}
    for path in map(Path, paths):
        if path.is_dir():
            found.update(dict.fromkeys(_images_in(path)))
        elif path.exists():
            found[path] = None
        else:
            raise UsageError(f"{path}: no such file or folder")
    return list(found)


def _images_in(folder: Path) -> Iterable[Path]:
    inside = [
        path for path in folder.rglob("*") if is_image_name(path) and not _hidden(path.relative_to(folder))
    ]
    files = sorted((path for path in inside if path.is_file()), key=lambda path: path.parts)
    if not files:
        raise UsageError(
            f"{folder}: no image in this folder (looked for {', '.join(sorted(IMAGE_SUFFIXES))})"
        )
    return files


def _hidden(relative: Path) -> bool:
    return any(part.startswith(".") for part in relative.parts)

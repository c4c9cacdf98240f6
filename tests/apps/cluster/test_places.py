"""Folders here and in object storage: moto's S3 server on the loopback address."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
from moto.server import ThreadedMotoServer
from PIL import Image

from amidst.apps.cluster.places import Place, StorageError, address_of, place_of
from amidst.errors import ImageError, UsageError


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """An empty bucket, in the environment as a user's would be."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        fsspec.filesystem("s3").mkdir("photos")
        yield "s3://photos"
    server.stop()


def test_addresses_and_paths(tmp_path: Path) -> None:
    assert address_of(Path("s3://a/b")) == "s3://a/b"
    assert address_of("s3://a/b") == "s3://a/b"
    assert address_of(Path("/a/b")) == "/a/b"
    assert place_of(tmp_path / "x" / "..").address == str(tmp_path)


def test_an_empty_or_missing_folder_holds_nothing(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(UsageError, match="no image there"):
            Place(str(folder)).pictures()
    assert Place(str(tmp_path / "nowhere")).names() == set()
    assert Place(str(tmp_path)).read("nothing") is None
    with pytest.raises(UsageError, match="Protocol not known"):
        Place("nothing://a").names()


def test_names_that_lead_out_are_refused(tmp_path: Path) -> None:
    for place in (Place(str(tmp_path)), Place("memory://a")):
        with pytest.raises(ImageError, match="leads out"):
            place.fetch("../b.jpg", tmp_path)


@pytest.mark.filterwarnings("ignore")  # of the service's client
def test_object_storage_is_a_folder(bucket: str, tmp_path: Path) -> None:
    place = Place(f"{bucket}/2024", tries=1)
    place.write("b/one.jpg", b"1")
    place.write("a.png", b"2")
    place.write(".hidden/x.png", b"3")
    place.write("notes.txt", b"4")
    assert place.pictures() == ["a.png", "b/one.jpg"]
    assert place.names() >= {"a.png", "notes.txt"}
    assert place.read("b/one.jpg") == b"1"
    assert place.read("nothing") is None
    assert place.fetch("b/one.jpg", tmp_path).read_bytes() == b"1"
    with pytest.raises(FileNotFoundError):
        place.fetch("c.jpg", tmp_path)
    for absent in (f"{bucket}/2025", "s3://no-such-bucket/2025"):
        with pytest.raises(UsageError, match=f"{absent}: no image there"):
            Place(absent, tries=1).pictures()
    with pytest.raises(StorageError, match="s3://no-such-bucket/2025: nothing can be written there"):
        Place("s3://no-such-bucket/2025", tries=1).write("a.png", b"")


@pytest.mark.filterwarnings("ignore")  # of the service's client
def test_predict_reads_and_writes_object_storage(bucket: str, amidst: Any, tmp_path: Path) -> None:
    photos = Place(f"{bucket}/some")
    for number in range(3):
        noise = np.random.default_rng(number).integers(0, 256, (48, 64, 3), dtype=np.uint8)
        Image.fromarray(noise).save(tmp_path / "x.jpg")
        photos.write(f"{number}.jpg", (tmp_path / "x.jpg").read_bytes())
    words = ("predict", f"{bucket}/some", "--engine", "local", "-o", f"{bucket}/found", "--json")
    typed = amidst("predict", "person", *words[1:])
    assert typed.code == 0
    assert typed.json["pictures"] == 3
    assert Place(f"{bucket}/found").names() == {"part-00000.parquet", "run.json"}


class Unsteady:
    """A file system that fails some times."""

    def __init__(self, failures: int) -> None:
        self.left = failures

    def cat_file(self, path: str) -> bytes:
        if self.left:
            self.left -= 1
            raise OSError("connection reset")
        return path.encode()


def test_storage_is_asked_again_and_then_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    place = Place("s3://a", tries=3, pause=0)
    monkeypatch.setattr(Place, "_open", lambda _self: (Unsteady(2), "a"))
    assert place.read("x") is not None
    monkeypatch.setattr(Place, "_open", lambda _self: (Unsteady(3), "a"))
    with pytest.raises(StorageError, match="s3://a: connection reset, 3 times"):
        place.read("x")

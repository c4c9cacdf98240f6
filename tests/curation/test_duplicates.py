"""Near-duplicates of real photographs: known variants are found, different photographs are not joined."""

from __future__ import annotations

import io
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image as PillowImage

from amidst.curation.duplicates import DuplicateSettings, find_duplicates
from amidst.curation.fingerprints import Fingerprints, fingerprint, gather
from amidst.errors import DataError


def prints_of(pictures: list[PillowImage.Image], data: list[bytes] | None = None) -> Fingerprints:
    data = data or [bytes([i % 256, i // 256]) for i in range(len(pictures))]
    records = [fingerprint(d, np.asarray(p)) for d, p in zip(data, pictures, strict=True)]
    return gather(records, [f"{i}.jpg" for i in range(len(pictures))])


def as_png(picture: PillowImage.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def test_no_images() -> None:
    found = find_duplicates(gather([], []))
    assert found.pairs == ()
    assert found.groups == ()


def test_equal_bytes_and_equal_pixels(photographs: SimpleNamespace) -> None:
    a, b = photographs.sample(2)
    found = find_duplicates(prints_of([a, b, a, b], [b"1", b"2", b"1", b"3"]))
    assert [(p.a, p.b, p.method) for p in found.pairs] == [(0, 2, "bytes"), (1, 3, "pixels")]
    assert found.groups == ((0, 2), (1, 3))
    assert found.kept.tolist() == [0, 1, 0, 1]


def test_known_variants_of_photographs(photographs: SimpleNamespace) -> None:
    """The smaller sibling of benchmarks/duplicates.py: every tenth photograph would already be a failure."""
    originals = photographs.sample(16)
    pictures = [
        variant
        for i, photo in enumerate(originals)
        for variant in (
            photo,
            photographs.resized(photo, 0.5),
            photographs.compressed(photo, 40),
            photographs.brightened(photo, 0.7),
            photographs.cropped(photo, 0.9, i % 4 / 3, i % 3 / 2),
        )
    ]
    found = find_duplicates(prints_of(pictures))
    pairs = {(p.a, p.b) for p in found.pairs}
    assert all(a // 5 == b // 5 for a, b in pairs)
    for variant, least in ((1, 16), (2, 16), (3, 16), (4, 15)):
        assert sum((5 * i, 5 * i + variant) in pairs for i in range(16)) >= least
    # A crop is smaller and a resized picture too: the original or an equally large variant is kept.
    assert all(group[0] % 5 in (0, 2, 3) for group in found.groups)


def test_mirrored_and_turned_only_when_asked(photographs: SimpleNamespace) -> None:
    photo = photographs.sample(1)[0]
    prints = prints_of(
        [photo, photo.transpose(PillowImage.Transpose.FLIP_LEFT_RIGHT), photo.rotate(90, expand=True)]
    )
    assert find_duplicates(prints).pairs == ()
    mirrored = find_duplicates(prints, DuplicateSettings(mirrored=True, crops=False))
    assert [(p.a, p.b) for p in mirrored.pairs] == [(0, 1)]
    turned = find_duplicates(prints, DuplicateSettings(rotated=True, crops=False))
    assert [(p.a, p.b) for p in turned.pairs] == [(0, 2)]
    both = find_duplicates(prints, DuplicateSettings(mirrored=True, rotated=True, crops=False))
    assert [(p.a, p.b) for p in both.pairs] == [(0, 1), (0, 2), (1, 2)]


def test_plain_pictures_are_duplicates_only_when_equal() -> None:
    colours = [PillowImage.new("RGB", (40, 30), colour) for colour in ("red", "red", "blue")]
    found = find_duplicates(prints_of(colours))
    assert [(p.a, p.b, p.method) for p in found.pairs] == [(0, 1, "pixels")]


def test_the_annotated_one_is_kept(photographs: SimpleNamespace) -> None:
    photo = photographs.sample(1)[0]
    pictures = [photo, photographs.resized(photo, 0.5), photographs.resized(photo, 0.6)]
    assert find_duplicates(prints_of(pictures)).kept.tolist() == [0, 0, 0]
    assert find_duplicates(prints_of(pictures), annotated=[0, 3, 2]).kept.tolist() == [1, 1, 1]


def test_embeddings_replace_the_descriptor(photographs: SimpleNamespace) -> None:
    photo = photographs.sample(1)[0]
    prints = prints_of([photo, photographs.resized(photo, 0.5), photographs.compressed(photo, 50)])
    embeddings = np.array([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0]])
    found = find_duplicates(prints, embeddings=embeddings)
    assert [(p.a, p.b, p.method, p.distance) for p in found.pairs] == [(0, 1, "embedding", 0.0)]


def test_lengths_must_agree(photographs: SimpleNamespace) -> None:
    prints = prints_of(photographs.sample(2))
    with pytest.raises(DataError, match="3 embeddings for 2 images"):
        find_duplicates(prints, embeddings=np.ones((3, 4)))
    with pytest.raises(DataError, match="1 annotated for 2 images"):
        find_duplicates(prints, annotated=[1])


def test_two_processes_find_the_same(photographs: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    photo = photographs.sample(3)
    prints = prints_of(
        [*photo, photographs.resized(photo[0], 0.5), photographs.cropped(photo[1], 0.92, 1, 1)]
    )
    expected = find_duplicates(prints)
    assert len(expected.pairs) == 2
    monkeypatch.setattr("amidst.curation.duplicates._SMALL", 0)
    assert find_duplicates(prints, processes=2).pairs == expected.pairs

"""A release: dataset files that are the same, byte for byte, whenever they are made from the same records.

    release-1.0/
      annotations/instances_train.json   objects; one for each split
      annotations/captions_train.json    if there are captions
      annotations/image_info_test.json   splits whose truth stays hidden: images alone
      manifest.json                      version, number of records and SHA-256 of every file
      SHA256SUMS                         the same checksums for `sha256sum -c`

What is written follows rules that make files of different tools differ needlessly, or wrongly:

- Ids are kept as they are, never counted anew. Records are sorted by id, fields in fixed order, no date
of the day. - Images without objects stay. `file_name` is a relative path with forward slashes.
- `iscrowd` says what the record means. It never follows from the kind of mask: a single object may have
an RLE. - A release is the same bytes everywhere as .zip and .tar; .tar.gz depends on the version of zlib.
- Polygons are written as they are; a mask is written as RLE, uncompressed for crowds as in COCO's own
  files. With `polygons=False` every mask becomes an RLE.
- area and bbox are those of the mask's pixels where there is a mask (`measure=False` keeps what the
record says). - The result is checked by `amidst.coco.check`; errors refuse the release.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import shutil
import tarfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from amidst.coco import masks
from amidst.coco.check import check
from amidst.coco.dataset import CocoDataset
from amidst.coco.files import write_atomically
from amidst.coco.records import Annotation, Image, Rle
from amidst.config import Config
from amidst.errors import DataError, UsageError

MANIFEST, CHECKSUMS = "manifest.json", "SHA256SUMS"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first moment a ZIP can name


class ReleaseSettings(Config, frozen=True):
    """What is written. hidden: splits that get images without truth."""

    name: str = "dataset"
    version: str = "1.0"
    hidden: tuple[str, ...] = ()
    polygons: bool = True
    measure: bool = True


@dataclass(frozen=True, slots=True)
class Caption:
    """A sentence about an image."""

    id: int
    image_id: int
    text: str


def release(
    dataset: CocoDataset,
    split_of: Mapping[int, str],
    folder: str | Path,
    settings: ReleaseSettings | None = None,
    *,
    captions: Sequence[Caption] = (),
) -> dict[str, str]:
    """Writes a release into a new folder; SHA-256 by file name.

    split_of: image id -> split; images that are absent are not released. The folder appears when all is
    written. Raises UsageError if it exists already; DataError for records that break a rule.
    """
    settings = settings or ReleaseSettings()
    target = Path(folder)
    if target.exists():
        raise UsageError(f"{target} exists already; a release is never changed, choose another version")
    files = dict(_files(dataset, split_of, settings, captions))
    sums = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    files[MANIFEST] = _manifest(settings, files, sums)
    sums[MANIFEST] = hashlib.sha256(files[MANIFEST]).hexdigest()
    files[CHECKSUMS] = "".join(f"{sums[name]}  {name}\n" for name in sorted(sums)).encode()
    beside = target.with_name(f".{target.name}.unfinished")
    shutil.rmtree(beside, ignore_errors=True)
    try:
        for name, data in files.items():
            write_atomically(beside / name, data)
        beside.replace(target)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return sums


def pack(folder: str | Path, archive: str | Path) -> str:
    """A release's folder as .zip, .tar or .tar.gz, the same bytes for the same files; its SHA-256."""
    source, target = Path(folder), Path(archive)
    if not (source / MANIFEST).is_file():
        raise UsageError(f"{source} is no release: it has no {MANIFEST}")
    files = sorted(path for path in source.rglob("*") if path.is_file())
    named = [(f"{source.name}/{path.relative_to(source).as_posix()}", path.read_bytes()) for path in files]
    if target.name.endswith(".zip"):
        data = _zipped(named)
    elif target.name.endswith((".tar", ".tar.gz", ".tgz")):
        data = _tarred(named, compressed=not target.name.endswith(".tar"))
    else:
        raise UsageError(f"{target}: an archive is .zip, .tar, .tar.gz or .tgz")
    write_atomically(target, data)
    return hashlib.sha256(data).hexdigest()


def verify(folder: str | Path) -> tuple[str, ...]:
    """Files of a release that are missing or changed. Raises UsageError if it has no checksums."""
    base = Path(folder)
    try:
        lines = (base / CHECKSUMS).read_text(encoding="utf-8").splitlines()
    except OSError:
        raise UsageError(f"{base} is no release: it has no {CHECKSUMS}") from None
    wrong = []
    for line in lines:
        digest, _, name = line.partition("  ")
        file = base / name
        if not file.is_file() or hashlib.sha256(file.read_bytes()).hexdigest() != digest:
            wrong.append(name)
    return tuple(wrong)


def _files(
    dataset: CocoDataset, split_of: Mapping[int, str], settings: ReleaseSettings, captions: Sequence[Caption]
) -> Iterator[tuple[str, bytes]]:
    names = sorted(set(split_of.values()))
    for name in names:
        if not name or PurePosixPath(name).name != name or name.startswith("."):
            raise UsageError(f"a split cannot be called {name!r}: it becomes part of a file name")
    for unknown in set(settings.hidden) - set(names):
        raise UsageError(f"the hidden split {unknown!r} has no images; there are {', '.join(names)}")
    _check_captions(captions, dataset)
    for name in names:
        part = _part(dataset, {i for i, split in split_of.items() if split == name}, name, settings)
        if name in settings.hidden:
            hidden = replace(part, annotations=())
            yield f"annotations/image_info_{name}.json", _checked(hidden, name)
            continue
        yield f"annotations/instances_{name}.json", _checked(part, name)
        sentences = [c for c in captions if split_of.get(c.image_id) == name]
        if sentences:
            yield f"annotations/captions_{name}.json", _captions(part, sentences)


def _part(dataset: CocoDataset, image_ids: set[int], name: str, settings: ReleaseSettings) -> CocoDataset:
    chosen = dataset.select(image_ids)
    images = tuple(sorted(map(_clean_name, chosen.images), key=lambda image: image.id))
    sizes = {image.id: (image.height, image.width) for image in images}
    annotations = (_written(a, sizes[a.image_id], settings) for a in chosen.annotations)
    return CocoDataset(
        images,
        tuple(sorted(annotations, key=lambda annotation: annotation.id)),
        tuple(sorted(chosen.categories, key=lambda category: category.id)),
        {**dataset.info, "description": settings.name, "version": settings.version, "split": name},
        tuple(sorted(dataset.licenses, key=lambda text: str(text.get("id", "")))),
        {},
    )


def _clean_name(image: Image) -> Image:
    path = PurePosixPath(image.file_name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or not path.parts or ":" in path.parts[0]:
        raise DataError(
            f"file_name {image.file_name!r} is not a path below the images folder",
            record=f"image {image.id}",
            rule="file-name",
        )
    return replace(image, file_name=path.as_posix(), extra=dict(sorted(image.extra.items())))


def _written(annotation: Annotation, size_hw: tuple[int, int], settings: ReleaseSettings) -> Annotation:
    shape = annotation.segmentation
    extra = dict(sorted(annotation.extra.items()))
    if shape is None:
        return replace(annotation, segmentation=None, extra=extra)
    try:
        mask = masks.from_segmentation(shape, size_hw)
    except DataError as error:
        raise DataError(error.problem, record=f"annotation {annotation.id}", rule=error.rule) from None
    if not settings.polygons or isinstance(shape, Rle):
        shape = Rle(mask.size, masks.counts(mask)) if annotation.iscrowd else mask
    if not settings.measure:
        return _remade(annotation, annotation.bbox_xywh, annotation.area, shape, extra)
    area, box = int(masks.area([mask])[0]), masks.boxes([mask])[0]
    if area == 0:
        raise DataError("the mask has no pixel", record=f"annotation {annotation.id}", rule="empty-mask")
    x, y, width, height = (float(value) for value in box)
    return _remade(annotation, (x, y, width, height), float(area), shape, extra)


def _remade(
    a: Annotation, box: tuple[float, float, float, float], area: float, shape: Any, extra: dict[str, Any]
) -> Annotation:
    """A record whose segmentation is a value, in place of JSON text that keeps its old form."""
    return Annotation(a.id, a.image_id, a.category_id, box, area, a.iscrowd, a.ignore, shape, extra)


def _checked(part: CocoDataset, name: str) -> bytes:
    errors = check(part).errors
    if errors:
        more = f" and {len(errors) - 1} more errors" if len(errors) > 1 else ""
        raise DataError(f"{errors[0].message}{more}", file=name, record=errors[0].record, rule=errors[0].rule)
    return part.to_json() + b"\n"


def _check_captions(captions: Sequence[Caption], dataset: CocoDataset) -> None:
    ids: set[int] = set()
    for caption in captions:
        record = f"caption {caption.id}"
        if caption.id in ids:
            raise DataError("the id is used more than once", record=record, rule="duplicate-id")
        if not caption.text.strip():
            raise DataError("the text is empty", record=record, rule="empty-caption")
        ids.add(caption.id)
        try:
            dataset.image(caption.image_id)
        except DataError as error:
            raise DataError(error.problem, record=record, rule=error.rule) from None


def _captions(part: CocoDataset, captions: Sequence[Caption]) -> bytes:
    images = msgspec.json.decode(replace(part, annotations=()).to_json())
    del images["categories"]
    images["annotations"] = [
        {"id": caption.id, "image_id": caption.image_id, "caption": caption.text}
        for caption in sorted(captions, key=lambda caption: caption.id)
    ]
    return msgspec.json.encode(images) + b"\n"


def _manifest(settings: ReleaseSettings, files: Mapping[str, bytes], sums: Mapping[str, str]) -> bytes:
    entries = []
    for name in sorted(files):
        sections = msgspec.json.decode(files[name], type=dict[str, Any])
        counted = {key: len(value) for key, value in sections.items() if isinstance(value, list)}
        entries.append({"name": name, "bytes": len(files[name]), "sha256": sums[name], "records": counted})
    document = {"name": settings.name, "version": settings.version, "files": entries}
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


def _zipped(files: Sequence[tuple[str, bytes]]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(
        buffer, "w", zipfile.ZIP_STORED
    ) as archive:  # stored, for versions of zlib compress differently
        for name, data in files:
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr = 0o644 << 16
            entry.create_system = 3
            archive.writestr(entry, data)
    return buffer.getvalue()


def _tarred(files: Sequence[tuple[str, bytes]], *, compressed: bool) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in files:
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o644
            archive.addfile(entry, io.BytesIO(data))
    return gzip.compress(buffer.getvalue(), mtime=0) if compressed else buffer.getvalue()

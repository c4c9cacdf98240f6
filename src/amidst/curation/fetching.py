"""From candidates to a folder of clean photographs and a dataset file that lists them.

    folder/journal.jsonl      one line for each candidate that is dealt with: the image record, or the
    rule it broke folder/images/            the photographs, named by image id
    folder/collection.json    COCO image records and licences, written anew from the journal at the end

A run that was stopped goes on after the last line of the journal; ids are never given twice. Each image
record carries photographer, date_captured, attribution, source, source_id and query, from which splits
and credits are made.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from amidst.coco.dataset import CocoDataset
from amidst.coco.files import write_atomically
from amidst.coco.records import Image
from amidst.curation.collection import Candidate, Choice, normal_licence
from amidst.curation.downloads import Web, get
from amidst.curation.ingest import Clean, IngestLimits, Studio
from amidst.errors import DataError, ImageError

JOURNAL, COLLECTION, IMAGES = "journal.jsonl", "collection.json", "images"
Report = Callable[[int, int], None]


class _Line(msgspec.Struct, omit_defaults=True):
    """One line of the journal: `image` of a kept photograph, or rule and problem."""

    source: str
    source_id: str
    rule: str = ""
    problem: str = ""
    image: dict[str, Any] | None = None


@dataclass
class _State:
    """The journal, and what of it every new photograph is compared with."""

    lines: list[_Line] = field(default_factory=list)
    holder: dict[str, _Line] = field(default_factory=dict)  # by digest of the pixels
    last_id: int = 0

    def add(self, line: _Line) -> None:
        self.lines.append(line)
        if line.image is not None:
            self.holder[line.image["pixel_sha256"]] = line
            self.last_id = max(self.last_id, line.image["id"])


@dataclass(frozen=True)
class Collected:
    """What a folder holds after a run."""

    dataset: CocoDataset
    refused: dict[str, int]  # by rule
    file: Path


def fetch(
    choice: Choice,
    folder: str | Path,
    *,
    web: Web | None = None,
    limits: IngestLimits | None = None,
    report: Report | None = None,
) -> Collected:
    """Fetches and develops every photograph of `choice` that the folder's journal does not know yet.

    A photograph that fails is noted with its rule and the run goes on. Raises FindingError if a source
    does not answer; everything done until then is kept.
    """
    base, web = Path(folder), web or Web()
    (base / IMAGES).mkdir(parents=True, exist_ok=True)
    state = _State()
    for line in _read_journal(base / JOURNAL):
        state.add(line)
    known = {(line.source, line.source_id) for line in state.lines}
    todo: list[Candidate | _Line] = [
        _Line(r.candidate.source, r.candidate.source_id, r.rule, r.problem)
        for r in choice.refused
        if r.rule != "duplicate-id"
    ]
    todo = [c for c in [*todo, *choice.taken] if (c.source, c.source_id) not in known]
    with Studio(limits) as studio, tempfile.TemporaryDirectory() as scratch:
        for number, item in enumerate(todo):
            if report is not None:
                report(number, len(todo))
            line = (
                item if isinstance(item, _Line) else _fetched(item, state, base, web, studio, Path(scratch))
            )
            _append(base / JOURNAL, line)
            state.add(line)
    if report is not None:
        report(len(todo), len(todo))
    dataset = dataset_of(state.lines)
    dataset.save(base / COLLECTION)
    refused = Counter(line.rule for line in state.lines if line.rule)
    return Collected(dataset, dict(refused), base / COLLECTION)


def dataset_of(lines: Iterable[_Line]) -> CocoDataset:
    """The image records of a journal as a dataset without objects."""
    images = []
    licences: dict[str, int] = {}
    for line in lines:
        if line.image is None:
            continue
        fields = dict(line.image)
        number = licences.setdefault(fields.pop("licence"), len(licences) + 1)
        image_id, width, height, name = (fields.pop(key) for key in ("id", "width", "height", "file_name"))
        images.append(Image(image_id, width, height, name, number, fields))
    return CocoDataset(
        tuple(images), licenses=tuple({"id": number, "name": name} for name, number in licences.items())
    )


def _fetched(item: Candidate, state: _State, base: Path, web: Web, studio: Studio, scratch: Path) -> _Line:
    try:
        if "://" in item.locator:
            path = scratch / "download"
            path.write_bytes(get(item.locator, web))
        else:
            path = Path(item.locator)
        clean = studio.develop(path)
        _check(item, clean, state)
    except DataError as error:
        return _Line(item.source, item.source_id, error.rule, error.problem)
    number = state.last_id + 1
    name = f"{number:012d}{clean.suffix}"
    write_atomically(base / IMAGES / name, clean.data)
    return _Line(item.source, item.source_id, image=_record(item, clean, number, name))


def _check(item: Candidate, clean: Clean, state: _State) -> None:
    """Raises ImageError if the picture is not what its metadata says, or is there already."""
    for name, actual in (("width", clean.width), ("height", clean.height)):
        said = item.extra.get(name)
        if said not in (None, "") and str(said) != str(actual):
            problem = f"the picture's {name} is {actual} pixels, its metadata say {said}"
            raise ImageError(problem, record=item.record, rule="image-size")
    line = state.holder.get(clean.pixel_sha256)
    if line is not None and line.image is not None:
        problem = f"the same picture as image {line.image['id']}, {line.source} {line.source_id}"
        raise ImageError(problem, record=item.record, rule="duplicate")


def _record(item: Candidate, clean: Clean, number: int, name: str) -> dict[str, Any]:
    return {
        "id": number,
        "width": clean.width,
        "height": clean.height,
        "file_name": name,
        "licence": normal_licence(item.licence),
        "photographer": item.photographer or item.uploader,
        "date_captured": item.taken_at or item.uploaded_at,
        "attribution": item.attribution,
        "title": item.title,
        "source": item.source,
        "source_id": item.source_id,
        "query": item.query,
        "original_sha256": clean.original_sha256,
        "pixel_sha256": clean.pixel_sha256,
    }


def _append(file: Path, line: _Line) -> None:
    with file.open("ab") as stream:
        stream.write(msgspec.json.encode(line) + b"\n")


def _read_journal(file: Path) -> list[_Line]:
    """Raises DataError naming the line; a last line that was cut short is cut off."""
    if not file.exists():
        return []
    data = file.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    if len(whole) < len(data):
        write_atomically(file, whole)
    lines = []
    for number, text in enumerate(whole.splitlines(), 1):
        try:
            lines.append(msgspec.json.decode(text, type=_Line))
        except msgspec.DecodeError as error:
            raise DataError(
                f"not a line of this journal: {error}", file=file, record=f"line {number}"
            ) from None
    return lines

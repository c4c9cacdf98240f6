"""A COCO dataset in memory: frozen records, and new datasets made from them by selecting, splitting and
merging.

No method changes a dataset or a record. Ids are stable: only `merge(..., renumber=True)` gives new ones.
Images without objects are images like any other and stay.
"""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from amidst.coco import parsing
from amidst.coco.bulk import collection_paused
from amidst.coco.classes import ClassMap
from amidst.coco.files import write_atomically
from amidst.coco.records import Annotation, Category, Image
from amidst.errors import DataError, UsageError

R = TypeVar("R", Image, Annotation, Category)
_INFO = msgspec.json.Decoder(dict[str, Any] | None)
_LICENSES = msgspec.json.Decoder(list[dict[str, Any]] | None)


@dataclass(frozen=True)
class CocoDataset:
    """Images, their objects, and the categories of the objects.

    Making one raises DataError if an id is used twice or an annotation names an image or category that is
    not there (rules duplicate-id, unknown-image, unknown-category).
    """

    images: tuple[Image, ...] = ()
    annotations: tuple[Annotation, ...] = ()
    categories: tuple[Category, ...] = ()
    info: Mapping[str, Any] = field(default_factory=dict)
    licenses: tuple[Mapping[str, Any], ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Further top-level fields of the file."""

    def __post_init__(self) -> None:
        _refuse_repeated("image", self.images)
        _refuse_repeated("category", self.categories)
        _refuse_repeated("annotation", self.annotations)
        images, categories = self._image_index, {category.id for category in self.categories}
        for a in self.annotations:
            if a.image_id not in images:
                raise DataError(
                    f"image {a.image_id} does not exist", record=f"annotation {a.id}", rule="unknown-image"
                )
            if a.category_id not in categories:
                raise DataError(
                    f"category {a.category_id} does not exist",
                    record=f"annotation {a.id}",
                    rule="unknown-category",
                )

    # ---------------------------------------------------------------- files

    @classmethod
    def load(cls, path: str | Path) -> CocoDataset:
        """Reads a dataset file. A file without `annotations` or `categories` (a test set's) has none.

        Raises UsageError if the file cannot be opened, DataError (file, record, rule) if it is malformed.
        """
        with collection_paused():
            return cls.from_json(parsing.read_file(Path(path)), Path(path))

    @classmethod
    def from_json(cls, data: bytes, file: Path | None = None) -> CocoDataset:
        """From the bytes of a file, which may be named for the messages. Inverse of `to_json`."""
        sections = parsing.parse_sections(data, file)
        if "images" not in sections:
            raise DataError("the list `images` is missing", file=file, rule="missing-field")
        empty = msgspec.Raw(b"[]")
        try:
            return cls(
                images=parsing.parse_images(sections.pop("images"), file),
                annotations=parsing.parse_annotations(sections.pop("annotations", empty), file),
                categories=parsing.parse_categories(sections.pop("categories", empty), file),
                info=parsing.decode(_INFO, sections.pop("info", b"{}")) or {},
                licenses=tuple(parsing.decode(_LICENSES, sections.pop("licenses", empty)) or ()),
                extra={key: parsing.decode(parsing.ANY, text) for key, text in sections.items()},
            )
        except msgspec.DecodeError as error:
            raise DataError(f"info or licenses: {error}", file=file, rule="wrong-type") from None
        except DataError as error:
            raise DataError(error.problem, file=file, record=error.record, rule=error.rule) from None

    def save(self, path: str | Path) -> None:
        """Writes the file by atomic rename; what `load` read comes back equal."""
        write_atomically(path, self.to_json())

    def to_json(self) -> bytes:
        """The file's bytes."""
        top: dict[str, Any] = {
            "info": self.info,
            "licenses": self.licenses,
            "images": [parsing.image_json(image) for image in self.images],
            "annotations": [parsing.annotation_json(annotation) for annotation in self.annotations],
            "categories": [parsing.category_json(category) for category in self.categories],
        }
        return msgspec.json.encode(top | dict(self.extra))

    # ---------------------------------------------------------------- indexes, built when first asked for

    @cached_property
    def _image_index(self) -> dict[int, Image]:
        return {image.id: image for image in self.images}

    @cached_property
    def _annotations_by_image(self) -> dict[int, tuple[Annotation, ...]]:
        lists: defaultdict[int, list[Annotation]] = defaultdict(list)
        for annotation in self.annotations:
            lists[annotation.image_id].append(annotation)
        return {image_id: tuple(annotations) for image_id, annotations in lists.items()}

    @cached_property
    def _annotation_index(self) -> dict[int, Annotation]:
        return {annotation.id: annotation for annotation in self.annotations}

    @cached_property
    def _classes(self) -> ClassMap:
        return ClassMap(self.categories)

    def image(self, image_id: int) -> Image:
        """Raises DataError if there is none of this id."""
        try:
            return self._image_index[image_id]
        except KeyError:
            raise DataError(f"image {image_id} does not exist", rule="unknown-image") from None

    def annotation(self, annotation_id: int) -> Annotation:
        """Raises DataError if there is none of this id."""
        try:
            return self._annotation_index[annotation_id]
        except KeyError:
            raise DataError(f"annotation {annotation_id} does not exist", rule="unknown-annotation") from None

    def annotations_of(self, image_id: int) -> tuple[Annotation, ...]:
        """Objects of an image in file order, or (). Raises DataError if there is no such image."""
        found = self._annotations_by_image.get(image_id)
        if found is None:
            self.image(image_id)
            return ()
        return found

    def class_map(self) -> ClassMap:
        """The categories in order of id, as class indices 0..K-1."""
        return self._classes

    # ---------------------------------------------------------------- new datasets

    def select(
        self,
        image_ids: Collection[int] | None = None,
        category_ids: Collection[int] | None = None,
        *,
        area: tuple[float, float] | None = None,
        iscrowd: bool | None = None,
        containing: Collection[int] = (),
        drop_empty: bool = False,
    ) -> CocoDataset:
        """The part that meets every condition, in the same order.

        image_ids, category_ids: keep these images; keep these categories and their objects.
        area: keep objects with lo < area < hi. iscrowd: keep only crowds, or only single objects.
        containing: keep images that hold an object of each of these categories (before the other
        conditions).
        drop_empty: drop the images that are left without objects; by default they stay.
        Raises DataError if an id does not exist.
        """
        images = self._chosen_images(image_ids, containing)
        categories = self._chosen_categories(category_ids)
        kept_images, kept_categories = (
            {image.id for image in images},
            {category.id for category in categories},
        )
        lo, hi = area if area is not None else (-math.inf, math.inf)
        annotations = tuple(
            a
            for a in self.annotations
            if a.image_id in kept_images
            and a.category_id in kept_categories
            and lo < a.area < hi
            and (iscrowd is None or a.iscrowd == iscrowd)
        )
        if drop_empty:
            full = {a.image_id for a in annotations}
            images = tuple(image for image in images if image.id in full)
        return replace(self, images=images, annotations=annotations, categories=categories)

    def _chosen_images(
        self, image_ids: Collection[int] | None, containing: Collection[int]
    ) -> tuple[Image, ...]:
        chosen = set(self._image_index if image_ids is None else image_ids)
        for image_id in chosen - self._image_index.keys():
            self.image(image_id)
        self._chosen_categories(containing)
        for category_id in set(containing):
            chosen &= {a.image_id for a in self.annotations if a.category_id == category_id}
        return tuple(image for image in self.images if image.id in chosen)

    def _chosen_categories(self, category_ids: Collection[int] | None) -> tuple[Category, ...]:
        if category_ids is None:
            return self.categories
        missing = set(category_ids) - {category.id for category in self.categories}
        if missing:
            raise DataError(f"categories {sorted(missing)} do not exist", rule="unknown-category")
        return tuple(category for category in self.categories if category.id in set(category_ids))

    def split(
        self, parts: Mapping[str, Iterable[int]] | Mapping[str, float], *, seed: int | None = None
    ) -> dict[str, CocoDataset]:
        """Disjoint datasets by name; every part keeps all categories.

        With explicit image ids ({"train": [1, 5], ...}) images that no part names are left out. With a seed
        the values are ratios ({"train": 0.8, "val": 0.2}, their sum at most 1): images are ranked by a hash
        of seed and id, so the same image falls into the same part on every machine, and adding images moves
        few of the others. Raises DataError if an id is unknown or stands in two parts, UsageError if the
        ratios are not ratios.
        """
        if seed is None:
            ids = {name: _as_ids(name, part) for name, part in parts.items()}
        else:
            ids = self._ratio_ids(parts, seed)
        seen: dict[int, str] = {}
        for name, part in ids.items():
            for image_id in part:
                if image_id in seen and seen[image_id] != name:
                    raise DataError(
                        f"image {image_id} is in {seen[image_id]!r} and in {name!r}", rule="overlap"
                    )
                seen[image_id] = name
        return {name: self.select(image_ids=part) for name, part in ids.items()}

    def _ratio_ids(self, parts: Mapping[str, Any], seed: int) -> dict[str, list[int]]:
        ratios = {name: float(ratio) for name, ratio in parts.items()}
        total = math.fsum(ratios.values())
        if any(not 0 <= ratio <= 1 for ratio in ratios.values()) or total > 1 + 1e-9:
            raise UsageError(f"split ratios must lie in 0..1 and sum to at most 1, not {ratios}")

        def rank(image_id: int) -> bytes:
            return hashlib.sha256(f"{seed}:{image_id}".encode()).digest()

        order, start, begun, ids = sorted(self._image_index, key=rank), 0, 0.0, {}
        for name, ratio in ratios.items():
            begun += ratio
            stop = round(begun * len(order))
            ids[name], start = order[start:stop], stop
        return ids

    @classmethod
    def merge(cls, datasets: Sequence[CocoDataset], *, renumber: bool = False) -> CocoDataset:
        """One dataset of all records, in order; `info` and further fields come from the first that has them.

        Categories of equal id and name are one. Otherwise an id that stands in two datasets is refused with
        a DataError (rule id-conflict) or, with `renumber`, replaced in the later dataset by one above all
        others; categories are then joined by name. Licences of equal id are one.
        """
        images: dict[int, Image] = {}
        annotations: dict[int, Annotation] = {}
        categories: dict[int, Category] = {}
        licenses: dict[Any, Mapping[str, Any]] = {}
        info: dict[str, Any] = {}
        extra: dict[str, Any] = {}
        for dataset in datasets:
            image_of = _join("image", images, dataset.images, renumber)
            category_of = _join_categories(categories, dataset.categories, renumber)
            moved = [
                replace(a, image_id=image_of[a.image_id], category_id=category_of[a.category_id])
                if image_of[a.image_id] != a.image_id or category_of[a.category_id] != a.category_id
                else a
                for a in dataset.annotations
            ]
            _join("annotation", annotations, moved, renumber)
            for text in dataset.licenses:
                licenses.setdefault(text.get("id", len(licenses)), text)
            info, extra = dict(dataset.info) | info, dict(dataset.extra) | extra
        return cls(
            tuple(images.values()),
            tuple(annotations.values()),
            tuple(categories.values()),
            info,
            tuple(licenses.values()),
            extra,
        )


def _refuse_repeated(kind: str, records: Sequence[Image] | Sequence[Annotation] | Sequence[Category]) -> None:
    seen: set[int] = set()
    for record in records:
        if record.id in seen:
            raise DataError(
                "the id is used more than once", record=f"{kind} {record.id}", rule="duplicate-id"
            )
        seen.add(record.id)


def _as_ids(name: str, part: Iterable[int] | float) -> list[int]:
    if isinstance(part, (int, float)):
        raise UsageError(
            f"split part {name!r} is the number {part}: give image ids, or ratios together with a seed"
        )
    return list(part)


def _join(kind: str, into: dict[int, R], records: Sequence[R], renumber: bool) -> dict[int, int]:
    """Adds records to `into`; returns their new ids by their old ones."""
    taken = into.keys() & {record.id for record in records}
    if taken and not renumber:
        raise DataError(
            f"{len(taken)} ids stand in two datasets; rename them or merge with renumber",
            record=f"{kind} {min(taken)}",
            rule="id-conflict",
        )
    free = max([*into, *(record.id for record in records)], default=0)
    ids: dict[int, int] = {}
    for record in records:
        new = record.id
        if new in taken:
            free = new = free + 1
        ids[record.id] = new
        into[new] = record if new == record.id else replace(record, id=new)
    return ids


def _join_categories(
    into: dict[int, Category], records: Sequence[Category], renumber: bool
) -> dict[int, int]:
    """Adds categories to `into`, one of each name; returns their ids there by their own."""
    by_name = {category.name: category.id for category in into.values()} if renumber else {}
    fresh: list[Category] = []
    ids: dict[int, int] = {}
    for category in records:
        if category.name in by_name:
            ids[category.id] = by_name[category.name]
        elif category.id in into and into[category.id].name == category.name:
            ids[category.id] = category.id
        else:
            fresh.append(category)
    return ids | _join("category", into, fresh, renumber)

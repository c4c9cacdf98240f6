"""JSON text of a dataset file to records and back.

Reading tries the strict form of a list first (known fields only), which msgspec decodes at full speed; a
list with further fields, or with a defect, is read record by record, so that extras are kept and a defect
can be named. Segmentations are checked here but stay text (see `records.Annotation`).
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from amidst.coco.records import Annotation, Category, Image, parse_segmentation
from amidst.errors import DataError, UsageError

Id = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
Flag = Literal[0, 1] | bool | None
TOO_DEEP = "lists or objects are nested too deeply"
_NULL = msgspec.Raw(b"null")


class ImageJson(msgspec.Struct, gc=False):
    id: Id
    width: int
    height: int
    file_name: str
    license: int | None = None


class AnnotationJson(msgspec.Struct, gc=False):
    id: Id
    image_id: Id
    category_id: Id
    bbox: tuple[float, float, float, float]
    area: float
    iscrowd: Flag = 0
    ignore: Flag = 0
    segmentation: msgspec.Raw = _NULL


class CategoryJson(msgspec.Struct, gc=False):
    id: Id
    name: str
    supercategory: str | None = ""


_SECTIONS = msgspec.json.Decoder(dict[str, msgspec.Raw])
LIST = msgspec.json.Decoder(list[msgspec.Raw])
ANY = msgspec.json.Decoder(Any)


class _ImageStrict(ImageJson, forbid_unknown_fields=True, gc=False):
    pass


class _AnnotationStrict(AnnotationJson, forbid_unknown_fields=True, gc=False):
    pass


class _CategoryStrict(CategoryJson, forbid_unknown_fields=True, gc=False):
    pass


J = TypeVar("J", ImageJson, AnnotationJson, CategoryJson)
T = TypeVar("T")
R = TypeVar("R", Image, Annotation, Category)
Extra = dict[str, Any]


def decode(decoder: msgspec.json.Decoder[T], text: bytes | msgspec.Raw) -> T:
    """What the text says. Raises msgspec.DecodeError, also for nesting beyond what can be followed."""
    try:
        return decoder.decode(text)
    except RecursionError:
        raise msgspec.DecodeError(TOO_DEEP) from None


def read_file(path: Path) -> bytes:
    """The bytes of a JSON file, without a byte order mark. Raises UsageError if it cannot be opened."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from None
    return data.removeprefix(b"\xef\xbb\xbf")


def parse_sections(data: bytes, file: Path | None) -> dict[str, msgspec.Raw]:
    """The top level of a dataset file, values unparsed. Raises DataError if it is not one JSON object."""
    try:
        return decode(_SECTIONS, data)
    except msgspec.ValidationError as error:
        raise DataError(f"a dataset is one JSON object: {error}", file=file, rule="json") from None
    except msgspec.DecodeError as error:
        raise malformed(data, error, file) from None


def malformed(data: bytes, error: msgspec.DecodeError, file: Path | None) -> DataError:
    """The error for text that is not JSON; NaN and Infinity, which Python's writer produces, are named."""
    try:
        path = _find_non_finite(json.loads(data), "$")
    except (ValueError, RecursionError):
        path = None
    if path is not None:
        return DataError("expected a finite number", file=file, record=path, rule="non-finite")
    return DataError(f"not valid JSON: {error}", file=file, rule="json")


def _find_non_finite(value: Any, path: str) -> str | None:
    if isinstance(value, float):
        return None if math.isfinite(value) else path
    pairs: Iterable[tuple[Any, Any]] = ()
    if isinstance(value, dict):
        pairs = ((f".{key}", child) for key, child in value.items())
    elif isinstance(value, list):
        pairs = ((f"[{index}]", child) for index, child in enumerate(value))
    for step, child in pairs:
        found = _find_non_finite(child, path + step)
        if found is not None:
            return found
    return None


def parse_images(text: bytes | msgspec.Raw, file: Path | None) -> tuple[Image, ...]:
    """Records of the `images` list. Raises DataError naming the record."""

    def build(j: ImageJson, extra: Extra) -> Image:
        return Image(j.id, j.width, j.height, j.file_name, j.license, extra)

    return _parse_list(text, _ImageStrict, ImageJson, build, "image", file)


def parse_categories(text: bytes | msgspec.Raw, file: Path | None) -> tuple[Category, ...]:
    """Records of the `categories` list. Raises DataError naming the record."""

    def build(j: CategoryJson, extra: Extra) -> Category:
        return Category(j.id, j.name, j.supercategory or "", extra)

    return _parse_list(text, _CategoryStrict, CategoryJson, build, "category", file)


def parse_annotations(text: bytes | msgspec.Raw, file: Path | None) -> tuple[Annotation, ...]:
    """Records of the `annotations` list. Raises DataError naming the record."""

    def build(j: AnnotationJson, extra: Extra) -> Annotation:
        crowd, ignore = bool(j.iscrowd), bool(j.ignore)
        if parse_segmentation(j.segmentation, j.id) is None:
            return Annotation(j.id, j.image_id, j.category_id, j.bbox, j.area, crowd, ignore, None, extra)
        return Annotation.from_json(
            j.id, j.image_id, j.category_id, j.bbox, j.area, crowd, ignore, j.segmentation, extra
        )

    return _parse_list(text, _AnnotationStrict, AnnotationJson, build, "annotation", file)


def _parse_list(
    text: bytes | msgspec.Raw,
    strict: type[J],
    loose: type[J],
    build: Callable[[J, Extra], R],
    kind: str,
    file: Path | None,
) -> tuple[R, ...]:
    try:
        decoder = msgspec.json.Decoder(list[strict])  # type: ignore[valid-type]
        return tuple([build(record, {}) for record in decode(decoder, text)])
    except (msgspec.DecodeError, DataError):
        pass  # a field that is not ours, or a defect: go record by record
    try:
        texts = decode(LIST, text)
    except msgspec.DecodeError as error:
        raise DataError(f"expected a list of {kind} records: {error}", file=file, rule="json") from None
    known = frozenset(loose.__struct_fields__)
    one = msgspec.json.Decoder(loose)
    records: list[R] = []
    for index, item in enumerate(texts):
        try:
            parsed = decode(one, item)
            extra = {k: decode(ANY, v) for k, v in decode(_SECTIONS, item).items() if k not in known}
            records.append(build(parsed, extra))
        except msgspec.DecodeError as error:
            raise _defect(item, index, str(error), kind, file) from None
        except DataError as error:
            raise DataError(error.problem, file=file, record=error.record, rule=error.rule) from None
    return tuple(records)


def _defect(item: msgspec.Raw, index: int, problem: str, kind: str, file: Path | None) -> DataError:
    """Names a record by its id where it has one, by its place in the list where not."""
    record = f"{kind} at index {index}"
    try:
        value = decode(ANY, item)
    except msgspec.DecodeError:
        return DataError(problem, file=file, record=record, rule="json")
    if isinstance(value, dict) and isinstance(value.get("id"), int):
        record = f"{kind} {value['id']}"
    rules = {"missing required": "missing-field", "out of range": "non-finite"}
    rule = next((name for words, name in rules.items() if words in problem), "wrong-type")
    return DataError(problem, file=file, record=record, rule=rule)


def image_json(image: Image) -> Extra:
    """The image as it stands in a file."""
    record = {"id": image.id, "width": image.width, "height": image.height, "file_name": image.file_name}
    if image.license is not None:
        record["license"] = image.license
    return record | dict(image.extra)


def category_json(category: Category) -> Extra:
    """The category as it stands in a file."""
    record = {"id": category.id, "name": category.name, "supercategory": category.supercategory}
    return record | dict(category.extra)


def annotation_json(annotation: Annotation) -> Extra:
    """The annotation as it stands in a file; `ignore` and `segmentation` only where they say something."""
    record: Extra = {
        "id": annotation.id,
        "image_id": annotation.image_id,
        "category_id": annotation.category_id,
        "bbox": annotation.bbox_xywh,
        "area": annotation.area,
        "iscrowd": int(annotation.iscrowd),
    }
    if annotation.ignore:
        record["ignore"] = 1
    segmentation = annotation.segmentation_json
    if segmentation is not None:
        record["segmentation"] = segmentation
    record.update(annotation.extra)
    return record

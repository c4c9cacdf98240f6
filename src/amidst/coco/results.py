"""Detections in COCO's results format, held as columns.

A results file is a JSON list of {"image_id", "category_id", "score"} with "bbox" [x, y, width, height] in
image pixels or "segmentation" (a run-length mask), or both. N detections.

Source: the COCO results format (cocodataset.org/#format-results) and `COCO.loadRes` of pycocotools.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
import numpy.typing as npt

from amidst.coco import parsing
from amidst.coco.bulk import collection_paused
from amidst.coco.dataset import CocoDataset
from amidst.coco.files import write_atomically
from amidst.coco.records import Box, Rle
from amidst.errors import DataError

Ids = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Kind = Literal["bbox", "segm"]

BOX_DECIMALS = 3


class _Detection(msgspec.Struct, gc=False):
    image_id: parsing.Id
    category_id: parsing.Id
    score: float
    bbox: Box | None = None
    segmentation: Rle | None = None


@dataclass(frozen=True, eq=False)
class Results:
    """Detections as read-only columns of equal length N.

    image_ids, category_ids: (N,) int64. scores: (N,) float64. boxes_xywh: (N, 4) float64 in image pixels,
    or None. rles: N run-length masks, or None. The constructor raises DataError if the lengths differ, a
    number is not finite, or there are neither boxes nor masks.
    """

    image_ids: Ids
    category_ids: Ids
    scores: Floats
    boxes_xywh: Floats | None = None
    rles: tuple[Rle, ...] | None = None

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "image_ids", _column(self.image_ids, np.int64, (-1,)))
        put(self, "category_ids", _column(self.category_ids, np.int64, (-1,)))
        put(self, "scores", _column(self.scores, np.float64, (-1,)))
        if self.boxes_xywh is not None:
            put(self, "boxes_xywh", _column(self.boxes_xywh, np.float64, (-1, 4)))
        if self.rles is not None:
            put(self, "rles", tuple(self.rles))
        columns = (self.image_ids, self.category_ids, self.scores, self.boxes_xywh, self.rles)
        lengths = [None if column is None else len(column) for column in columns]
        if lengths[3:] == [None, None]:
            raise DataError("detections need boxes or masks", rule="missing-field")
        if len(set(lengths) - {None}) != 1:
            raise DataError(
                f"image_ids, category_ids, scores, boxes_xywh, rles have lengths {lengths}", rule="length"
            )
        _refuse_non_finite(self.scores, "score")
        if self.boxes_xywh is not None:
            _refuse_non_finite(self.boxes_xywh, "bbox")

    def __len__(self) -> int:
        return len(self.scores)

    @property
    def kind(self) -> Kind:
        """What the detections are: "bbox" if they have boxes (as `loadRes` decides), else "segm"."""
        return "bbox" if self.boxes_xywh is not None else "segm"

    @classmethod
    def empty(cls) -> Results:
        """No detection at all, which is a legal result."""
        return cls(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0), np.zeros((0, 4)), ())

    @classmethod
    def load(cls, source: str | Path | Sequence[Mapping[str, Any]]) -> Results:
        """From a results file, or from the same records in memory.

        The first record decides which of "bbox" and "segmentation" there are; every other record needs them
        too. Raises UsageError if the file cannot be opened, DataError (file, detection, rule) if a record
        is malformed.
        """
        file = Path(source) if isinstance(source, (str, Path)) else None
        try:
            with collection_paused():
                if isinstance(source, (str, Path)):
                    detections = _parse(parsing.read_file(Path(source)), file)
                else:
                    detections = msgspec.convert([_plain(record) for record in source], list[_Detection])
                return cls._from_detections(detections)
        except msgspec.ValidationError as error:
            raise _defect(str(error), file) from None
        except DataError as error:
            raise DataError(error.problem, file=file, record=error.record, rule=error.rule) from None

    @classmethod
    def _from_detections(cls, detections: list[_Detection]) -> Results:
        if not detections:
            return cls.empty()
        boxes = [d.bbox for d in detections] if detections[0].bbox is not None else None
        rles = [d.segmentation for d in detections] if detections[0].segmentation is not None else None
        for name, column in (("bbox", boxes), ("segmentation", rles)):
            if column is not None and None in column:
                raise DataError(
                    f"{name} is missing, the first detection has one",
                    record=f"detection at index {column.index(None)}",
                    rule="missing-field",
                )
        return cls(
            np.array([d.image_id for d in detections], dtype=np.int64),
            np.array([d.category_id for d in detections], dtype=np.int64),
            np.array([d.score for d in detections], dtype=np.float64),
            None if boxes is None else np.array(boxes, dtype=np.float64),
            None if rles is None else tuple(rle for rle in rles if rle is not None),
        )

    @classmethod
    def concatenate(cls, parts: Sequence[Results]) -> Results:
        """All detections, in order. Parts without detections fit any other; otherwise DataError if only some
        have boxes, or only some have masks.
        """
        filled = [part for part in parts if len(part)]
        if not filled:
            return cls.empty()
        boxes = [part.boxes_xywh for part in filled if part.boxes_xywh is not None]
        rles = [part.rles for part in filled if part.rles is not None]
        if len(boxes) not in (0, len(filled)) or len(rles) not in (0, len(filled)):
            raise DataError("only some parts have boxes, or only some have masks", rule="missing-field")
        return cls(
            np.concatenate([part.image_ids for part in filled]),
            np.concatenate([part.category_ids for part in filled]),
            np.concatenate([part.scores for part in filled]),
            np.concatenate(boxes) if boxes else None,
            tuple(rle for part in rles for rle in part) if rles else None,
        )

    def take(self, index: npt.ArrayLike) -> Results:
        """The detections of an index array or a boolean mask (N,), in that order."""
        wanted = np.asarray(index)
        chosen = np.arange(len(self))[wanted if wanted.size else wanted.astype(np.int64)]
        return Results(
            self.image_ids[chosen],
            self.category_ids[chosen],
            self.scores[chosen],
            None if self.boxes_xywh is None else self.boxes_xywh[chosen],
            None if self.rles is None else tuple(self.rles[i] for i in chosen.tolist()),
        )

    def check_against(self, dataset: CocoDataset, *, categories: bool = True) -> None:
        """Raises DataError if a detection names an image (or category) that the dataset does not have,
        or if a mask is of another size than its image.
        """
        _refuse_unknown("image", self.image_ids, (image.id for image in dataset.images))
        if categories:
            _refuse_unknown("category", self.category_ids, dataset.class_map().category_ids)
        if self.rles is None:
            return
        for index, (image_id, rle) in enumerate(zip(self.image_ids.tolist(), self.rles, strict=True)):
            image = dataset.image(image_id)
            if rle.size != (image.height, image.width):
                raise DataError(
                    f"the mask is {rle.size[1]}x{rle.size[0]} pixels, "
                    f"image {image_id} is {image.width}x{image.height}",
                    record=f"detection at index {index}",
                    rule="mask-size",
                )

    def to_builtins(self) -> list[dict[str, Any]]:
        """The records of a results file: boxes to 1/1000 pixel, scores by their shortest exact text."""
        columns: dict[str, list[Any]] = {
            "image_id": self.image_ids.tolist(),
            "category_id": self.category_ids.tolist(),
            "score": _short(self.scores),
        }
        if self.boxes_xywh is not None:
            columns["bbox"] = np.round(self.boxes_xywh, BOX_DECIMALS).tolist()
        if self.rles is not None:
            columns["segmentation"] = [{"size": list(r.size), "counts": r.counts} for r in self.rles]
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    def save(self, path: str | Path) -> None:
        """Writes a results file by atomic rename."""
        write_atomically(path, msgspec.json.encode(self.to_builtins()))


def _parse(data: bytes, file: Path | None) -> list[_Detection]:
    try:
        return parsing.decode(msgspec.json.Decoder(list[_Detection]), data)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError as error:
        raise parsing.malformed(data, error, file) from None


def _defect(problem: str, file: Path | None) -> DataError:
    """Turns msgspec's "Expected ... - at `$[17].bbox`" into the house's error."""
    text, _, path = problem.partition(" - at `$")
    index, _, field = path.rstrip("`").partition("]")
    record = f"detection at index {index[1:]}" if index.startswith("[") else None
    rule = "missing-field" if "missing required" in text else "wrong-type"
    if record is None:
        return DataError(f"a results file is a list of detections: {text}", file=file, rule=rule)
    named = f"{field.lstrip('.')}: {text}" if field else text
    return DataError(named, file=file, record=record, rule=rule)


def _plain(record: object) -> object:
    """A record in memory, with numpy scalars and arrays and bytes turned into what JSON would hold."""
    if not isinstance(record, Mapping):
        return record
    plain: dict[str, Any] = {}
    for key in _Detection.__struct_fields__:
        value = record.get(key)
        if isinstance(value, (np.generic, np.ndarray)):
            value = value.tolist()
        elif isinstance(value, (list, tuple)):
            value = [v.item() if isinstance(v, np.generic) else v for v in value]
        elif isinstance(value, Mapping) and isinstance(value.get("counts"), bytes):
            value = {"size": list(value["size"]), "counts": value["counts"].decode("ascii")}
        if key in record:
            plain[key] = value
    return plain


def _column(values: npt.ArrayLike, dtype: type[np.generic], shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """A read-only view, of the dtype and shape of its column."""
    column = np.asarray(values, dtype=dtype).reshape(shape).view()
    column.flags.writeable = False
    return column


def _refuse_non_finite(values: Floats, name: str) -> None:
    finite = np.isfinite(values).all(axis=tuple(range(1, values.ndim)))
    if not finite.all():
        index = int(np.argmin(finite))
        raise DataError(
            f"{name} {values[index].tolist()} is not finite",
            record=f"detection at index {index}",
            rule="non-finite",
        )


def _refuse_unknown(kind: str, ids: Ids, known: Iterable[int]) -> None:
    strangers = ~np.isin(ids, np.fromiter(known, dtype=np.int64))
    if strangers.any():
        index = int(np.argmax(strangers))
        raise DataError(
            f"{kind} {ids[index]} does not exist in the dataset ({int(strangers.sum())} such detections)",
            record=f"detection at index {index}",
            rule=f"unknown-{kind}",
        )


def _short(scores: Floats) -> list[float]:
    """Scores that come from float32 by their shortest decimal, which keeps order and ties; others as is."""
    single = scores.astype(np.float32)
    return [float(str(score)) for score in single] if np.array_equal(single, scores) else scores.tolist()

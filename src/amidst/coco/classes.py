"""Category ids of a file against class indices of a model.

K classes; class indices run 0..K-1 in ascending order of category id. This is the only place that
translates; the map travels with every trained model.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from amidst.coco.records import Category
from amidst.errors import DataError

AGNOSTIC = Category(1, "object")  # what proposals carry (B.3)


class ClassMap:
    """The classes of a model, in order of category id. Immutable; equal if all ids and names are equal."""

    __slots__ = ("_ids", "_index", "categories")

    categories: tuple[Category, ...]

    def __init__(self, categories: Iterable[Category]) -> None:
        """Raises DataError if two categories share an id."""
        self.categories = tuple(sorted(categories, key=lambda category: category.id))
        self._index = {category.id: index for index, category in enumerate(self.categories)}
        self._ids = np.array([category.id for category in self.categories], dtype=np.int64)
        if len(self._index) != len(self.categories):
            ids = self._ids.tolist()
            twice = sorted({i for i in ids if ids.count(i) > 1})
            raise DataError(f"category ids {twice} are used more than once", rule="duplicate-id")

    @property
    def num_classes(self) -> int:
        """K."""
        return len(self.categories)

    @property
    def names(self) -> tuple[str, ...]:
        """Names in order of class index."""
        return tuple(category.name for category in self.categories)

    @property
    def category_ids(self) -> tuple[int, ...]:
        """Category ids in order of class index."""
        return tuple(category.id for category in self.categories)

    def class_index(self, category_id: int) -> int:
        """0..K-1. Raises DataError for a category the map does not hold."""
        try:
            return self._index[category_id]
        except KeyError:
            raise DataError(
                f"category id {category_id} is not one of the {self.num_classes} classes",
                rule="unknown-category",
            ) from None

    def category_id(self, class_index: int) -> int:
        """Inverse of `class_index`. Raises DataError outside 0..K-1 (negative indices do not wrap)."""
        if not 0 <= class_index < self.num_classes:
            raise DataError(
                f"class index {class_index} is outside 0..{self.num_classes - 1}", rule="unknown-category"
            )
        return self.categories[class_index].id

    def category_id_of(self, class_index: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """Category ids of an array of class indices, same shape. Raises DataError outside 0..K-1."""
        index = np.asarray(class_index, dtype=np.int64)
        if index.size and (index.min() < 0 or index.max() >= self.num_classes):
            raise DataError(
                f"class indices {index.min()}..{index.max()} leave 0..{self.num_classes - 1}",
                rule="unknown-category",
            )
        return self._ids[index]

    def to_builtins(self) -> list[dict[str, Any]]:
        """Plain records, ready for JSON: [{"id", "name", "supercategory"}, ...]."""
        return [{"id": c.id, "name": c.name, "supercategory": c.supercategory} for c in self.categories]

    @classmethod
    def from_builtins(cls, records: Iterable[Mapping[str, Any]]) -> ClassMap:
        """Inverse of `to_builtins`. Raises DataError if a record lacks an id or a name."""
        try:
            return cls(
                Category(int(r["id"]), str(r["name"]), str(r.get("supercategory", ""))) for r in records
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataError(f"class records need id and name: {error!r}", rule="class-map") from None

    @classmethod
    def agnostic(cls, categories: Iterable[Category]) -> ClassMap:
        """One class, "object" with category id 1, that all `categories` fall into: for proposals."""
        found = cls((AGNOSTIC,))
        found._index = {category.id: 0 for category in categories}
        return found

    def __len__(self) -> int:
        return len(self.categories)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ClassMap):
            return NotImplemented
        return self.category_ids == other.category_ids and self.names == other.names

    def __hash__(self) -> int:
        return hash((self.category_ids, self.names))

    def __repr__(self) -> str:
        names = ", ".join(self.names[:5]) + (", ..." if len(self) > 5 else "")
        return f"ClassMap({self.num_classes} classes: {names})"

"""How well detectors work on a dataset other than the one they were trained on (spec B.5; thesis §2.7).

Every model is scored on every dataset over the categories, by name, that all the datasets share. A row gives
AP on each dataset; the drop from the model's own dataset to another is AP_own - AP_other, and the relative
drop (AP_own - mean AP_others) / AP_own. For Table 2.1 the measure is PASCAL's AP.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from amidst.coco.dataset import CocoDataset
from amidst.coco.results import Results
from amidst.errors import UsageError
from amidst.evaluation.pascal import pascal_ap

Score = Callable[[CocoDataset, Results], dict[str, float | None]]
"""AP by category name; None for a category without objects."""


@dataclass(frozen=True)
class Cell:
    """One model on one dataset. mean: over the shared categories that have objects there."""

    model: str
    dataset: str
    categories: Mapping[str, float | None]
    mean: float | None


@dataclass(frozen=True)
class Transfer:
    """trained_on: the dataset of each model, or None where it is not among those compared."""

    models: tuple[str, ...]
    datasets: tuple[str, ...]
    trained_on: Mapping[str, str | None]
    categories: tuple[str, ...]
    cells: Mapping[tuple[str, str], Cell]

    def ap(self, model: str, dataset: str) -> float | None:
        """Mean AP of a model on a dataset; None if it was not scored there."""
        cell = self.cells.get((model, dataset))
        return None if cell is None else cell.mean

    def drop(self, model: str, dataset: str) -> float | None:
        """AP on the model's own dataset less AP on this one; None where one of the two is unknown."""
        own = self._own(model)
        other = self.ap(model, dataset)
        return None if own is None or other is None else own - other

    def relative_drop(self, model: str) -> float | None:
        """Share of its AP that a model loses on the other datasets, on average; negative for a gain."""
        own = self._own(model)
        others = [
            ap
            for dataset in self.datasets
            if dataset != self.trained_on[model] and (ap := self.ap(model, dataset)) is not None
        ]
        return (own - float(np.mean(others))) / own if own and others else None

    def _own(self, model: str) -> float | None:
        home = self.trained_on[model]
        return None if home is None else self.ap(model, home)


def pascal_score(dataset: CocoDataset, results: Results) -> dict[str, float | None]:
    """PASCAL's AP by category name."""
    return {row.name: row.ap for row in pascal_ap(dataset, results).categories}


def transfer(
    datasets: Mapping[str, CocoDataset],
    results: Mapping[tuple[str, str], Results],
    trained_on: Mapping[str, str] | None = None,
    *,
    categories: Sequence[str] | None = None,
    score: Score = pascal_score,
) -> Transfer:
    """Scores each (model, dataset) that there are results for.

    trained_on: dataset by model; a model without an entry whose name is a dataset's was trained on that.
    categories: names to score, by default those that all datasets have. Detections of other categories are
    left out. Raises UsageError for a name that does not exist, DataError for detections that do not fit.
    """
    shared = _categories(datasets, categories)
    models = tuple(dict.fromkeys(model for model, _ in results))
    homes: dict[str, str | None] = {}
    for model in models:
        home = (trained_on or {}).get(model, model if model in datasets else None)
        if home is not None and home not in datasets:
            known = ", ".join(datasets)
            raise UsageError(f"model {model}: trained on {home!r}, but the datasets are {known}")
        homes[model] = home
    parts = {name: _restricted(dataset, shared) for name, dataset in datasets.items()}
    cells = {}
    for (model, name), found in results.items():
        if name not in datasets:
            listed = ", ".join(datasets)
            raise UsageError(f"results of {model} on {name!r}, but the datasets are {listed}")
        found.check_against(datasets[name])
        kept = np.isin(found.category_ids, [c.id for c in parts[name].categories])
        by_name = score(parts[name], found.take(kept))
        scored = [ap for ap in by_name.values() if ap is not None]
        cells[model, name] = Cell(model, name, by_name, float(np.mean(scored)) if scored else None)
    return Transfer(models, tuple(datasets), homes, shared, cells)


def _categories(datasets: Mapping[str, CocoDataset], wanted: Sequence[str] | None) -> tuple[str, ...]:
    sets = [{category.name for category in dataset.categories} for dataset in datasets.values()]
    if not sets:
        raise UsageError("there is no dataset to score on")
    shared = set.intersection(*sets)
    missing = sorted(set(wanted or ()) - shared)
    if missing:
        raise UsageError(f"category {missing[0]!r} is not in every dataset")
    if not shared:
        raise UsageError("the datasets have no category in common; categories are compared by name")
    first = next(iter(datasets.values()))
    return tuple(c.name for c in first.categories if c.name in (set(wanted) if wanted else shared))


def _restricted(dataset: CocoDataset, names: Sequence[str]) -> CocoDataset:
    return dataset.select(category_ids=[c.id for c in dataset.categories if c.name in set(names)])


def to_builtins(table: Transfer) -> dict[str, Any]:
    """The table as JSON."""
    return {
        "categories": list(table.categories),
        "models": {
            model: {
                "trained_on": table.trained_on[model],
                "ap": {name: table.ap(model, name) for name in table.datasets},
                "drop": {name: table.drop(model, name) for name in table.datasets},
                "relative_drop": table.relative_drop(model),
                "by_category": {
                    name: dict(table.cells[model, name].categories)
                    for name in table.datasets
                    if (model, name) in table.cells
                },
            }
            for model in table.models
        },
    }

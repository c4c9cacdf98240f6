"""Common objects, amidst their surroundings: datasets in COCO's format, detectors trained on them, scores.

    dataset = amidst.CocoDataset.load("val.json")
    results = amidst.Results.load("results.json")
    print(amidst.evaluate(dataset, results).ap)

Importing this package does not import torch; what needs it lies in `amidst.models`, `amidst.training` and
`amidst.inference`. The names below are imported when they are first asked for, because the command line goes
through this file and `amidst --help` needs none of them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from amidst.coco.classes import ClassMap
    from amidst.coco.dataset import CocoDataset
    from amidst.coco.results import Results
    from amidst.errors import AmidstError
    from amidst.evaluation import Summary, evaluate

__all__ = ["AmidstError", "ClassMap", "CocoDataset", "Results", "Summary", "__version__", "evaluate"]

__version__ = "0.1.0"

_HOMES = {
    "AmidstError": "amidst.errors",
    "ClassMap": "amidst.coco.classes",
    "CocoDataset": "amidst.coco.dataset",
    "Results": "amidst.coco.results",
    "Summary": "amidst.evaluation",
    "evaluate": "amidst.evaluation",
}


def __getattr__(name: str) -> Any:
    """A public name, from its module, when it is first asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module 'amidst' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names, imported or not."""
    return sorted({*globals(), *_HOMES})

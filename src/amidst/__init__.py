"""Common objects, amidst their surroundings: datasets in COCO's format, detectors trained on them, scores.

    dataset = amidst.CocoDataset.load("val.json")
    results = amidst.Results.load("results.json")
    print(amidst.evaluate(dataset, results).ap)

Importing this package does not import torch; what needs it lies in `amidst.models`, `amidst.training` and
`amidst.inference`.
"""

from __future__ import annotations

__version__ = "0.1.0"

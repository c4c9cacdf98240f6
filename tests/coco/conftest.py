"""A small dataset with everything a file can legally hold."""

from __future__ import annotations

from typing import Any

import pytest


def content() -> dict[str, Any]:
    """Id 0, gaps, an image without objects, crowd, ignore, fields we do not know."""
    return {
        "info": {"year": 2017},
        "licenses": [{"id": 1, "name": "CC BY", "url": "u"}],
        "images": [
            {"id": 7, "width": 40, "height": 30, "file_name": "a.jpg", "license": 1, "flickr_url": "f"},
            {"id": 0, "width": 20, "height": 20, "file_name": "b.jpg"},
            {"id": 9, "width": 10, "height": 10, "file_name": "empty.jpg"},
        ],
        "annotations": [
            {
                "id": 0,
                "image_id": 7,
                "category_id": 3,
                "bbox": [1.0, 2.0, 3.0, 4.5],
                "area": 13.5,
                "iscrowd": 0,
                "segmentation": [[1.0, 2.0, 4.0, 2.0, 4.0, 6.5, 1.0, 6.5]],
                "keypoints": [1, 2, 2],
            },
            {
                "id": 5,
                "image_id": 7,
                "category_id": 0,
                "bbox": [0.0, 0.0, 2.0, 3.0],
                "area": 6.0,
                "iscrowd": 1,
                "segmentation": {"size": [30, 40], "counts": [0, 3, 27, 3, 1167]},
            },
            {
                "id": 6,
                "image_id": 0,
                "category_id": 3,
                "bbox": [5.0, 5.0, 5.0, 5.0],
                "area": 25.0,
                "iscrowd": 0,
                "ignore": 1,
            },
        ],
        "categories": [
            {"id": 3, "name": "cat", "supercategory": "animal"},
            {"id": 0, "name": "ant", "supercategory": "animal", "keypoints": ["head"]},
            {"id": 90, "name": "unused", "supercategory": ""},
        ],
        "splits": {"note": "kept"},
    }


@pytest.fixture
def dataset_content() -> dict[str, Any]:
    return content()

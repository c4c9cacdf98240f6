"""The one place where a dataset enters the tensors.

A sample is a decoded image with its objects as boxes (x1, y1, x2, y2) in pixels of the original image. What
cannot be learnt from is left out here (J.1): crowd regions and `ignore` objects are never positive, boxes
are clipped to the image, and boxes with a side of at most one pixel are dropped. An image without objects
is an ordinary sample.

Shape legend: G ground truths of one image, H x W its size in pixels, I images.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset

from amidst.coco.classes import ClassMap
from amidst.coco.dataset import CocoDataset
from amidst.coco.files import image_path
from amidst.coco.images import read_image
from amidst.coco.records import Annotation, Image
from amidst.errors import UsageError

MIN_SIDE = 1.0  # pixels; a box must be larger than this on both sides


@dataclass(frozen=True, eq=False, slots=True)
class Sample:
    """One image with its objects, before any resizing."""

    image_id: int
    image: Tensor  # uint8 (3, H, W), RGB
    boxes_xyxy: Tensor  # float32 (G, 4), pixels of the original image
    class_index: Tensor  # int64 (G,)


class Samples(Dataset[Sample]):
    """Map-style dataset over a COCO dataset: `samples[index]` reads and decodes one image.

    It keeps flat arrays instead of records, so that handing it to worker processes stays cheap however
    large the dataset is.
    """

    def __init__(self, dataset: CocoDataset, images_dir: str | Path, class_map: ClassMap) -> None:
        """Raises UsageError for a dataset without images, DataError for a category that `class_map` lacks."""
        if not dataset.images:
            raise UsageError("the training dataset has no images; nothing can be learnt from it")
        self.images_dir = str(images_dir)
        self.image_ids = np.array([image.id for image in dataset.images], dtype=np.int64)
        self.sizes_hw = np.array([(image.height, image.width) for image in dataset.images], dtype=np.int64)
        names = [image.file_name.encode() for image in dataset.images]
        self._name_ends = np.cumsum([len(name) for name in names])
        self._names = b"".join(names)
        objects = [_objects(image, dataset.annotations_of(image.id), class_map) for image in dataset.images]
        self._object_ends = np.cumsum([len(boxes) for boxes, _ in objects])
        self._boxes_xyxy = np.concatenate([boxes for boxes, _ in objects])
        self._class_index = np.concatenate([index for _, index in objects])

    def __len__(self) -> int:
        return len(self.image_ids)

    def __getitem__(self, index: int) -> Sample:
        """Raises ImageError naming the file if it is missing, unreadable or not of the size on record."""
        height, width = self.sizes_hw[index].tolist()
        pixels = read_image(self.path(index), expect_hw=(height, width))  # (H, W, 3)
        boxes_xyxy, class_index = self.objects(index)
        return Sample(
            image_id=int(self.image_ids[index]),
            image=torch.from_numpy(pixels).permute(2, 0, 1),
            boxes_xyxy=boxes_xyxy,
            class_index=class_index,
        )

    @property
    def num_objects(self) -> int:
        """Objects that are learnt from, over all images."""
        return len(self._class_index)

    def path(self, index: int) -> Path:
        """File of the image."""
        begin = self._name_ends[index - 1] if index else 0
        return image_path(self.images_dir, self._names[begin : self._name_ends[index]].decode())

    def objects(self, index: int) -> tuple[Tensor, Tensor]:
        """Boxes float32 (G, 4) and class indices int64 (G,) of one image, without reading it."""
        begin, end = self._object_ends[index - 1] if index else 0, self._object_ends[index]
        return torch.from_numpy(self._boxes_xyxy[begin:end]), torch.from_numpy(self._class_index[begin:end])


def _objects(
    image: Image, annotations: tuple[Annotation, ...], class_map: ClassMap
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Boxes (G, 4) and class indices (G,) of the objects that can be positive."""
    usable = [annotation for annotation in annotations if not (annotation.iscrowd or annotation.ignore)]
    boxes = np.array([annotation.bbox_xywh for annotation in usable], dtype=np.float64).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    boxes = boxes.clip(0.0, [image.width, image.height, image.width, image.height])
    kept = ((boxes[:, 2:] - boxes[:, :2]) > MIN_SIDE).all(axis=1)
    index = np.array([class_map.class_index(annotation.category_id) for annotation in usable], dtype=np.int64)
    return boxes[kept].astype(np.float32), index[kept]

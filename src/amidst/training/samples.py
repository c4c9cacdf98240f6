"""The one place where a dataset enters the tensors.

A sample is a decoded image with its objects as boxes (x1, y1, x2, y2) in pixels of the original image. What
cannot be learnt from is left out here (J.1): crowd regions and `ignore` objects are never positive, boxes
are clipped to the image, and boxes with a side of at most one pixel are dropped. An image without objects
is an ordinary sample. Masks come along for networks that learn masks, proposals for those that judge them.

Shape legend: G ground truths of one image, P proposals, H x W its size in pixels, I images.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset

from amidst.coco import masks
from amidst.coco.classes import ClassMap
from amidst.coco.dataset import CocoDataset
from amidst.coco.files import image_path
from amidst.coco.images import read_image
from amidst.coco.proposals import Proposals
from amidst.coco.records import Annotation, Image, Rle
from amidst.errors import DataError, UsageError

MIN_SIDE = 1.0  # pixels; a box must be larger than this on both sides
IN_CROWD = 0.7  # share of its area; a proposal with more of it inside a crowd region is not learnt from (F.4)


@dataclass(frozen=True, eq=False, slots=True)
class Sample:
    """One image with its objects, before any resizing."""

    image_id: int
    image: Tensor  # uint8 (3, H, W), RGB
    boxes_xyxy: Tensor  # float32 (G, 4), pixels of the original image
    class_index: Tensor  # int64 (G,)
    rles: tuple[Rle, ...] | None = None  # masks of the G objects, of size (H, W)
    proposals_xyxy: Tensor | None = None  # float32 (P, 4), by descending score


class Objects(NamedTuple):
    """The objects of one image that can be positive."""

    boxes_xyxy: npt.NDArray[np.float32]  # (G, 4)
    class_index: npt.NDArray[np.int64]  # (G,)
    rles: tuple[Rle, ...]  # (G,), or none where masks are not asked for


class Pictures:
    """The image files of a dataset: all that a process needs that only reads them.

    Flat arrays instead of records, so that handing it to worker processes stays cheap however large the
    dataset is.
    """

    def __init__(self, dataset: CocoDataset, images_dir: str | Path) -> None:
        self.images_dir = str(images_dir)
        self.image_ids = np.array([image.id for image in dataset.images], dtype=np.int64)
        self.sizes_hw = np.array([(image.height, image.width) for image in dataset.images], dtype=np.int64)
        names = [image.file_name.encode() for image in dataset.images]
        self._name_ends = np.cumsum([len(name) for name in names])
        self._names = b"".join(names)

    def path(self, index: int) -> Path:
        """File of the image."""
        begin = self._name_ends[index - 1] if index else 0
        return image_path(self.images_dir, self._names[begin : self._name_ends[index]].decode())

    def read(self, index: int) -> Tensor:
        """uint8 (3, H, W).

        Raises ImageError naming the file if it is missing, unreadable or not of the size on record.
        """
        height, width = self.sizes_hw[index].tolist()
        pixels = read_image(self.path(index), expect_hw=(height, width))  # (H, W, 3)
        return torch.from_numpy(pixels).permute(2, 0, 1)


class Samples(Dataset[Sample]):
    """Map-style dataset over a COCO dataset: `samples[index]` reads and decodes one image."""

    def __init__(
        self,
        dataset: CocoDataset,
        images_dir: str | Path,
        class_map: ClassMap,
        *,
        with_masks: bool = False,
        proposals: Proposals | None = None,
    ) -> None:
        """Raises UsageError for a dataset without images, DataError for a category that `class_map` lacks
        and, where masks are asked for, for objects that have none.
        """
        if not dataset.images:
            raise UsageError("the training dataset has no images; nothing can be learnt from it")
        if with_masks:
            _expect_masks(dataset)
        self.with_masks, self.proposals = with_masks, proposals
        self.pictures = Pictures(dataset, images_dir)
        objects = [
            _objects(image, dataset.annotations_of(image.id), class_map, with_masks)
            for image in dataset.images
        ]
        self._object_ends = np.cumsum([len(found.boxes_xyxy) for found in objects])
        self._boxes_xyxy = np.concatenate([found.boxes_xyxy for found in objects])
        self._class_index = np.concatenate([found.class_index for found in objects])
        crowds = [_crowds(dataset.annotations_of(image.id)) for image in dataset.images]
        self._crowd_ends = np.cumsum([len(boxes) for boxes in crowds])
        self._crowds_xyxy = np.concatenate(crowds)
        counts = [str(rle.counts).encode() for found in objects for rle in found.rles]
        self._count_ends = np.cumsum([len(text) for text in counts], dtype=np.int64)
        self._counts = b"".join(counts)

    def __len__(self) -> int:
        return len(self.pictures.image_ids)

    def __getitem__(self, index: int) -> Sample:
        """Raises ImageError as `Pictures.read`."""
        return self.sample(index, self.pictures.read(index))

    @property
    def sizes_hw(self) -> npt.NDArray[np.int64]:
        """Height and width of each image: (I, 2)."""
        return self.pictures.sizes_hw

    def sample(self, index: int, image: Tensor) -> Sample:
        """The sample of an image uint8 (3, H, W) that has been read; everything on its device."""
        boxes_xyxy, class_index = self.objects(index)
        image_id, proposals = int(self.pictures.image_ids[index]), None
        if self.proposals is not None:
            boxes, _ = self.proposals.of(image_id)
            begin, end = _span(self._crowd_ends, index)
            outside = _share_inside(boxes, self._crowds_xyxy[begin:end]) <= IN_CROWD
            proposals = torch.from_numpy(boxes[outside]).to(image.device)
        return Sample(
            image_id=image_id,
            image=image,
            boxes_xyxy=boxes_xyxy.to(image.device),
            class_index=class_index.to(image.device),
            rles=self.rles(index) if self.with_masks else None,
            proposals_xyxy=proposals,
        )

    @property
    def num_objects(self) -> int:
        """Objects that are learnt from, over all images."""
        return len(self._class_index)

    def objects(self, index: int) -> tuple[Tensor, Tensor]:
        """Boxes float32 (G, 4) and class indices int64 (G,) of one image, without reading it."""
        begin, end = _span(self._object_ends, index)
        return torch.from_numpy(self._boxes_xyxy[begin:end]), torch.from_numpy(self._class_index[begin:end])

    def rles(self, index: int) -> tuple[Rle, ...]:
        """Masks (G,) of one image's objects, in the order of `objects`."""
        height, width = self.pictures.sizes_hw[index].tolist()
        begin, end = _span(self._object_ends, index)
        ends = self._count_ends[begin:end].tolist()
        begins = [int(self._count_ends[begin - 1]) if begin else 0, *ends[:-1]]
        return tuple(
            Rle((height, width), self._counts[b:e].decode()) for b, e in zip(begins, ends, strict=False)
        )


def _span(ends: npt.NDArray[np.int64], index: int) -> tuple[int, int]:
    """Where what belongs to one image stands among all."""
    return int(ends[index - 1]) if index else 0, int(ends[index])


def _crowds(annotations: tuple[Annotation, ...]) -> npt.NDArray[np.float32]:
    """Boxes (C, 4) xyxy of the crowd regions of an image."""
    found = [annotation.bbox_xywh for annotation in annotations if annotation.iscrowd]
    boxes = np.array(found, dtype=np.float32).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    return boxes


def _share_inside(
    boxes_xyxy: npt.NDArray[np.float32], crowds_xyxy: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Largest share of each box's area (P, 4) that one of the crowd boxes (C, 4) covers: (P,)."""
    low = np.maximum(boxes_xyxy[:, None, :2], crowds_xyxy[None, :, :2])
    high = np.minimum(boxes_xyxy[:, None, 2:], crowds_xyxy[None, :, 2:])
    covered = (high - low).clip(0).prod(axis=2)  # (P, C)
    area = (boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]).prod(axis=1)
    share: npt.NDArray[np.float32] = covered.max(axis=1, initial=0) / np.maximum(area, 1e-6)
    return share


def _expect_masks(dataset: CocoDataset) -> None:
    without = [a for a in dataset.annotations if not (a.iscrowd or a.ignore) and not a.segmentation]
    if without:
        raise DataError(
            f"{len(without)} of {len(dataset.annotations)} annotations have no mask, this is the first; "
            "a network that proposes masks learns from masks",
            record=f"annotation {without[0].id}",
            rule="missing-mask",
        )


def _objects(
    image: Image, annotations: tuple[Annotation, ...], class_map: ClassMap, with_masks: bool
) -> Objects:
    usable = [annotation for annotation in annotations if not (annotation.iscrowd or annotation.ignore)]
    boxes = np.array([annotation.bbox_xywh for annotation in usable], dtype=np.float64).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    boxes = boxes.clip(0.0, [image.width, image.height, image.width, image.height])
    kept = ((boxes[:, 2:] - boxes[:, :2]) > MIN_SIDE).all(axis=1)
    index = np.array([class_map.class_index(annotation.category_id) for annotation in usable], dtype=np.int64)
    rles: tuple[Rle, ...] = ()
    if with_masks:
        size_hw = (image.height, image.width)
        rles = tuple(
            masks.from_segmentation(annotation.segmentation, size_hw)
            for annotation, keep in zip(usable, np.atleast_1d(kept), strict=True)
            if keep and annotation.segmentation is not None
        )
    return Objects(boxes[kept].astype(np.float32), index[kept], rles)

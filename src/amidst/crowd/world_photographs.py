"""Photographs whose truth is known as a world, so that simulated workers can work on them.

A COCO file stands in for the generator: each object is seen as its mask says, whole and by itself. What the
file calls a crowd is left out, for nobody points at it one by one.
"""

from __future__ import annotations

from collections.abc import Sequence

from amidst.coco import masks
from amidst.coco.dataset import CocoDataset
from amidst.coco.records import Image
from amidst.crowd.world import CROWD_CELL, TrueObject, World, WorldImage
from amidst.crowd.world_scenes import NON_ICONIC, Scene, WorldConfig

LEAST_AREA = 40  # pixels; smaller ones cannot be drawn


def world_of(dataset: CocoDataset, image_ids: Sequence[int]) -> World:
    """The photographs of these ids, in this order, with the truth of the file; ids stay."""
    images = tuple(_photograph(dataset, dataset.image(image_id)) for image_id in image_ids)
    return World(0, WorldConfig(), dataset.categories, images)


def _photograph(dataset: CocoDataset, image: Image) -> WorldImage:
    size_hw = (image.height, image.width)
    single = [one for one in dataset.annotations_of(image.id) if not one.iscrowd]
    rles = [masks.from_segmentation(one.segmentation or (), size_hw) for one in single]
    areas, boxes = masks.area(rles), masks.boxes(rles)
    number = {one.category_id: 0 for one in single}
    for one in single:
        number[one.category_id] += 1
    objects = [
        TrueObject(
            category_id=one.category_id,
            mask=rle,
            box_xywh=(float(box[0]), float(box[1]), float(box[2]), float(box[3])),
            area=int(area),
            visible_share=1.0,
            in_crowd=number[one.category_id] > CROWD_CELL,
        )
        for one, rle, area, box in zip(single, rles, areas, boxes, strict=True)
        if area >= LEAST_AREA
    ]
    scene = Scene(size_hw, NON_ICONIC, (), 1.0, 0)
    return WorldImage(image, NON_ICONIC, None, scene, tuple(objects))

"""The COCO format: records, datasets, classes, images, results, masks, categories, checks."""

from amidst.coco.classes import ClassMap
from amidst.coco.dataset import CocoDataset
from amidst.coco.findings import Finding, Report
from amidst.coco.images import image_size, read_image
from amidst.coco.proposals import Proposals
from amidst.coco.records import Annotation, Box, Category, Image, Polygons, Rle, Segmentation
from amidst.coco.results import Results

__all__ = [
    "Annotation",
    "Box",
    "Category",
    "ClassMap",
    "CocoDataset",
    "Finding",
    "Image",
    "Polygons",
    "Proposals",
    "Report",
    "Results",
    "Rle",
    "Segmentation",
    "image_size",
    "read_image",
]

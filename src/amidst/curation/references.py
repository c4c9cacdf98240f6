"""Published numbers of four datasets, drawn beside every dataset's own (thesis §2.5, Fig. 2.5).

Sources: the thesis's text (§2.5: COCO's counts and means, single-category shares, instances per image of
ImageNet and PASCAL VOC); legends of Fig. 5 in the chapter's paper, arXiv:1405.0312 (categories per image of
the others); ILSVRC 2014 detection, train and val (ImageNet's counts); VOC 2012 trainval (PASCAL's); Table 1
of the ADE20K paper, arXiv:1608.05442 (SUN's counts, which are those of SUN 2012). None: not published.

The counts serve figure (d) alone: many of ImageNet's images are labelled for one category only, so that its
counts do not give the thesis's mean of 3.0 instances, which is of completely labelled images.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Reference:
    """What is known of a dataset without its file.

    single_category_share: of images that hold objects of one category only; `at_least` marks a lower bound.
    """

    name: str
    images: int
    instances: int
    categories: int
    categories_per_image: float
    instances_per_image: float
    single_category_share: float | None = None
    single_category_at_least: bool = False

    @property
    def instances_per_category(self) -> float:
        """The mean over all categories."""
        return self.instances / self.categories


REFERENCES = (
    Reference("COCO", 328_000, 2_500_000, 91, 3.5, 7.7, 0.10),
    Reference("ImageNet", 476_688, 534_309, 200, 1.7, 3.0, 0.60, True),
    Reference("PASCAL VOC", 11_540, 27_450, 20, 1.4, 2.3, 0.60, True),
    Reference("SUN", 16_873, 313_884, 4_479, 9.8, 17.0),
)

COCO_LARGE_CATEGORY = 5_000
COCO_LARGE_CATEGORIES = 82
"""82 of COCO's 91 categories have more than 5,000 instances."""

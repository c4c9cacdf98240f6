"""What comes before labelling in a simulated campaign: candidate categories, known images of the filter;
and how well the vote and the filter came out.

The voters choose among the categories of the world and others of the thesis, which no picture shows.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from amidst.apps.cli.collect import thesis_candidates
from amidst.coco.dataset import CocoDataset
from amidst.crowd.categories import NewCategory
from amidst.crowd.world import World, WorldImage, generate_world
from amidst.crowd.world_scenes import NON_ICONIC, WorldConfig
from amidst.curation.release import Caption
from amidst.curation.selection import Proposal

STRANGERS = 30  # candidates of which the world holds nothing
KNOWN_IMAGES = 12  # iconic or broken ones, and as many others: three grids see none twice
ICONIC_WORLD = WorldConfig(iconic_objects=0.6, iconic_scenes=0.3, invalid=0.1, near_duplicates=0.0)
Ratios = dict[str, int | float | None]


def proposals(world: World) -> list[Proposal]:
    """The candidates of the vote."""
    own = [Proposal(one.name, one.supercategory or "thing") for one in world.categories]
    names = {one.name for one in own}
    strange = [one.name for one in thesis_candidates() if one.name not in names]
    return [*own, *(Proposal(name, "other") for name in strange[:STRANGERS])]


def chosen_categories(world: World, taken: Collection[str]) -> list[NewCategory]:
    """The chosen ones: those of the world under its ids, then the others."""
    own = [
        NewCategory(id=one.id, name=one.name, supercategory=one.supercategory or "thing")
        for one in world.categories
        if one.name in taken
    ]
    strange = sorted(set(taken) - {one.name for one in world.categories})
    first = 1 + max(one.id for one in world.categories)
    return [
        *own,
        *(NewCategory(id=key, name=name, supercategory="other") for key, name in enumerate(strange, first)),
    ]


def iconic_images(seed: int) -> tuple[World, Sequence[WorldImage]]:
    """A world of iconic and broken photographs, and those that are known to the filter."""
    world = generate_world(seed, KNOWN_IMAGES, ICONIC_WORLD)
    return world, [image for image in world.images if image.layout != NON_ICONIC]


def score_vote(world: World, taken: Collection[str]) -> Ratios:
    """The chosen categories against those of the world."""
    names = {one.name for one in world.categories}
    return _ratios(set(taken), names)


def score_filter(world: World, dataset: CocoDataset) -> Ratios:
    """The removed photographs against those that are iconic or broken."""
    kept = {image.id for image in dataset.images}
    removed = {image.record.id for image in world.images} - kept
    return _ratios(removed, {image.record.id for image in world.images if image.layout != NON_ICONIC})


def score_captions(captions: Sequence[Caption], images: int, each: int) -> Ratios:
    """Whether every photograph has its sentences, and their mean length in words."""
    words = [len(one.text.split()) for one in captions]
    return {
        "sentences": len(captions),
        "complete": len(captions) / (images * each) if images else None,
        "mean_words": sum(words) / len(words) if words else None,
    }


def _ratios(found: Collection[object], true: Collection[object]) -> Ratios:
    right = len(set(found) & set(true))
    return {
        "found": len(found),
        "true": len(true),
        "right": right,
        "precision": right / len(found) if found else None,
        "recall": right / len(true) if true else None,
    }

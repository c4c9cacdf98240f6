"""Training, validation and test images that share no photographer's day and no picture.

Two images belong together if the same photographer took them on the same day, or if they are
near-duplicates; a component of such images lies in one split as a whole (thesis section 2.6). Components
are placed so that every split gets its share of the images and of each category's objects:

    1. Components that hold images of an earlier release go where those images are.
    2. The others are taken by size, largest first, equal sizes in the order of a seeded hash of their
       smallest
       image id, and each goes to the split that lies furthest below its shares: the one where it adds
       least to

           cost = sum over splits s and quantities q of  weight[q] * (share[s, q] - ratio[s])^2 / ratio[s]

       A quantity is the number of images or of one category's objects; share[s, q] is the part of q's
       total that lies in s. Images weigh IMAGE_WEIGHT, a category 1, and less if it has fewer than
       ENOUGH objects.
    3. Components of step 2 are moved, each to the split where the cost is least, until a round moves none.

Nothing else is random: the same input and seed give the same splits. Giving the earlier assignment back keeps
every released image in its place. A new image that ties together images released in different splits
cannot be placed; it is withheld and reported.

Legend: N images, C components, S splits, Q quantities (Q = 1 + categories).
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from amidst.coco.dataset import CocoDataset
from amidst.curation.components import components
from amidst.errors import DataError, UsageError

Floats = npt.NDArray[np.float64]

IMAGE_WEIGHT = 30.0  # the promise for images (1 % ) is stricter than the one for categories (3 points)
ENOUGH = 200  # objects from which a category's share is promised
_ROUNDS = 8


@dataclass(frozen=True)
class Splits:
    """Where each image goes. `withheld`: new images that tie splits of the earlier release together."""

    split_of: Mapping[int, str]  # by image id
    component_of: Mapping[int, int]  # image id -> smallest image id of its component
    withheld: tuple[int, ...] = ()

    def image_ids(self, name: str) -> tuple[int, ...]:
        """Images of one split, ascending."""
        return tuple(sorted(i for i, split in self.split_of.items() if split == name))


def make_splits(
    dataset: CocoDataset,
    ratios: Mapping[str, float],
    *,
    seed: int = 0,
    together: Iterable[Sequence[int]] = (),
    group_of: Mapping[int, Hashable] | None = None,
    released: Mapping[int, str] | None = None,
) -> Splits:
    """Assigns every image of `dataset` to a split.

    ratios: share of the images by split name; they must sum to 1. together: pairs of image ids that are near-
    duplicates. group_of: image id -> anything equal for images to keep together, as (photographer, day);
    images that are absent stand alone. released: image id -> split of an earlier release.
    Raises UsageError for impossible ratios; DataError for an unknown image or split, or if the earlier
    release itself has a component in two splits.
    """
    _check_ratios(ratios)
    released = dict(released or {})
    ids = sorted(image.id for image in dataset.images)
    place = {image_id: i for i, image_id in enumerate(ids)}
    _check_known(place, together := list(together), group_of or {}, released, ratios)
    links = [(place[a], place[b]) for a, b in together] + _links(ids, group_of or {})
    labels = components(len(ids), links)
    names = list(ratios)
    pinned, withheld = _pinned(ids, labels, released)
    amounts, members = _amounts(dataset, ids, labels, withheld)
    chosen = _placed(
        list(members),
        amounts,
        np.array(list(ratios.values())),
        {label: names.index(name) for label, name in pinned.items() if label in members},
        [_rank(seed, ids[label]) for label in members],
    )
    split_of = {
        ids[member]: names[split]
        for split, group in zip(chosen, members.values(), strict=True)
        for member in group
    }
    component_of = {image_id: ids[label] for image_id, label in zip(ids, labels.tolist(), strict=True)}
    return Splits(split_of | released, component_of, tuple(ids[i] for i in sorted(withheld)))


def split_table(dataset: CocoDataset, splits: Splits, names: Sequence[str]) -> dict[str, dict[str, int]]:
    """Counts by split name: "images", and objects of each category by its name (crowds included)."""
    category = {c.id: c.name for c in dataset.categories}
    table: dict[str, Counter[str]] = {name: Counter() for name in names}
    for split in splits.split_of.values():
        table[split]["images"] += 1
    for annotation in dataset.annotations:
        if annotation.image_id in splits.split_of:
            table[splits.split_of[annotation.image_id]][category[annotation.category_id]] += 1
    return {name: dict(counts) for name, counts in table.items()}


def broken_promises(dataset: CocoDataset, splits: Splits, ratios: Mapping[str, float]) -> list[str]:
    """What does not hold of: ratio within 1 %, each category of ENOUGH objects within 3 points. [] if
    all holds.

    Small sets and large components make both impossible at times; the caller reports it.
    """
    table = split_table(dataset, splits, list(ratios))
    total: Counter[str] = sum((Counter(counts) for counts in table.values()), Counter())
    found = []
    for name, ratio in ratios.items():
        for quantity, whole in total.items():
            images = quantity == "images"
            off = table[name].get(quantity, 0) / whole - ratio
            if (images and abs(off) > 0.01) or (not images and whole >= ENOUGH and abs(off) > 0.03):
                found.append(
                    f"{name} has {ratio + off:.1%} of {'the images' if images else quantity}, not {ratio:.1%}"
                )
    return found


def _check_ratios(ratios: Mapping[str, float]) -> None:
    if not ratios or any(not 0 < ratio <= 1 for ratio in ratios.values()):
        raise UsageError(f"split ratios must lie in 0..1, each above 0, not {dict(ratios)}")
    if abs(sum(ratios.values()) - 1) > 1e-6:
        raise UsageError(f"split ratios must sum to 1, not {sum(ratios.values()):g}")


def _check_known(
    place: Mapping[int, int],
    together: Sequence[Sequence[int]],
    group_of: Mapping[int, Hashable],
    released: Mapping[int, str],
    ratios: Mapping[str, float],
) -> None:
    named = {"near-duplicates": {i for pair in together for i in pair}, "groups": set(group_of)}
    for source, ids in (named | {"the earlier release": set(released)}).items():
        unknown = sorted(ids - place.keys())
        if unknown:
            raise DataError(
                f"{source} name {len(unknown)} images that the dataset lacks",
                record=f"image {unknown[0]}",
                rule="unknown-image",
            )
    for image_id, name in released.items():
        if name not in ratios:
            raise DataError(
                f"released in {name!r}, which is none of {', '.join(ratios)}",
                record=f"image {image_id}",
                rule="unknown-split",
            )


def _links(ids: Sequence[int], group_of: Mapping[int, Hashable]) -> list[tuple[int, int]]:
    """Pairs that tie each group together: every member with the first."""
    first: dict[Hashable, int] = {}
    return [
        (first.setdefault(group_of[image_id], place), place)
        for place, image_id in enumerate(ids)
        if image_id in group_of
    ]


def _pinned(
    ids: Sequence[int], labels: npt.NDArray[np.int64], released: Mapping[int, str]
) -> tuple[dict[int, str], set[int]]:
    """Split of each component with released images, and places of new images that cannot go anywhere."""
    found: defaultdict[int, dict[str, int]] = defaultdict(dict)
    members: defaultdict[int, list[int]] = defaultdict(list)
    for place, label in enumerate(labels.tolist()):
        members[label].append(place)
        if ids[place] in released:
            found[label].setdefault(released[ids[place]], ids[place])
    pinned, withheld = {}, set()
    for label, names in found.items():
        if len(names) == 1:
            pinned[label] = next(iter(names))
            continue
        new = [place for place in members[label] if ids[place] not in released]
        if not new:
            a, b = sorted(names.values())[:2]
            raise DataError(
                f"released in {released[a]!r}, but belongs together with image {b} in {released[b]!r}",
                record=f"image {a}",
                rule="leak",
            )
        withheld.update(new)
    return pinned, withheld


def _amounts(
    dataset: CocoDataset, ids: Sequence[int], labels: npt.NDArray[np.int64], withheld: set[int]
) -> tuple[Floats, dict[int, list[int]]]:
    """(C, Q) quantities of each component, and members by component in the same order.

    A component in which images are withheld is left out: its other images are released and stay.
    """
    stuck = {int(labels[place]) for place in withheld}
    members: defaultdict[int, list[int]] = defaultdict(list)
    for place, label in enumerate(labels.tolist()):
        if label not in stuck:
            members[label].append(place)
    row = {label: i for i, label in enumerate(members)}
    column = {category.id: 1 + i for i, category in enumerate(dataset.categories)}
    place_of = {image_id: place for place, image_id in enumerate(ids)}
    amounts = np.zeros((len(members), 1 + len(column)))
    for label, group in members.items():
        amounts[row[label], 0] = len(group)
    for annotation in dataset.annotations:
        component = row.get(int(labels[place_of[annotation.image_id]]))
        if component is not None:
            amounts[component, column[annotation.category_id]] += 1
    return amounts, dict(members)


def _placed(
    labels: Sequence[int],
    amounts: Floats,
    ratios: Floats,
    pinned: Mapping[int, int],
    ranks: Sequence[bytes],
) -> npt.NDArray[np.int64]:
    """(C,): split of each component."""
    total = amounts.sum(axis=0)
    weights = np.minimum(total / ENOUGH, 1.0)
    weights[0] = IMAGE_WEIGHT
    parts = amounts / np.maximum(total, 1.0)  # share of each quantity's total
    used = [np.flatnonzero(row) for row in parts]
    share = np.zeros((len(ratios), amounts.shape[1]))
    chosen = np.full(len(labels), -1, dtype=np.int64)
    for c, label in enumerate(labels):
        if label in pinned:
            chosen[c] = pinned[label]
            share[chosen[c]] += parts[c]
    free = [c for c, label in enumerate(labels) if label not in pinned]
    rarest = [total[q[1:]].min(initial=np.inf) for q in used]  # q[0] is the number of images
    free.sort(key=lambda c: (-amounts[c, 0], rarest[c], ranks[c]))

    def best(c: int) -> int:
        q = used[c]
        part, weight = parts[c, q], weights[q] * parts[c, q]
        missed = (share[:, q] - ratios[:, None]) @ weight  # (S,)
        return int(np.argmin((2 * missed + part @ weight) / ratios))

    for _ in range(1 + _ROUNDS):
        moved = 0
        for c in free:
            before = chosen[c]
            if before >= 0:
                share[before, used[c]] -= parts[c, used[c]]
            chosen[c] = best(c)
            share[chosen[c], used[c]] += parts[c, used[c]]
            moved += int(chosen[c] != before)
        if not moved:
            break
    return chosen


def _rank(seed: int, image_id: int) -> bytes:
    return hashlib.sha256(f"{seed}:{image_id}".encode()).digest()

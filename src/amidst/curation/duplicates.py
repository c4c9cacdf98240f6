"""Near-duplicate photographs: which images show the same picture, and which one of them to keep.

    1. Equal bytes.
    2. Equal pixels after decoding.
    3. Candidates: pHash or dHash differ in few bits, of the whole pictures, or of one picture and a
       window of the other, which finds crops; the other of the two hashes must not differ in many.
    4. A candidate is confirmed by the distance of the GIST descriptors of what was compared, or, where
       embeddings of a network are given, by their cosine.
    5. Confirmed pairs form components. The best of a component is kept (more objects annotated, then more
       pixels, then earlier in the list) and the others are its duplicates.

Pictures of one colour have no descriptor; only rules 1 and 2 apply to them.

Legend: N images, P pairs. Thesis section 2.6; the thresholds are calibrated in benchmarks/duplicates.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context

import numpy as np
import numpy.typing as npt

from amidst.config import Config
from amidst.curation.components import components
from amidst.curation.fingerprints import Fingerprints
from amidst.curation.gist import distances, gist
from amidst.curation.hamming import bits_apart, near_pairs
from amidst.curation.hashing import WHOLE, View, dhash, grey, is_flat, phash, seen, views
from amidst.errors import DataError

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
_BATCH = 1024  # images hashed, or candidates confirmed, at a time
_SMALL = 5_000  # images: with fewer, starting processes costs more than they save


class DuplicateSettings(Config, frozen=True):
    """What counts as a near-duplicate."""

    near_bits: int = 10  # one of pHash and dHash differs in at most this many of 64 bits,
    far_bits: int = 22  # and the other in at most this many
    gist_distance: float = 0.75  # confirmed below this distance
    cosine: float = 0.95  # or, with embeddings, from this cosine on
    crops: bool = True  # compare with windows too
    mirrored: bool = False
    rotated: bool = False


@dataclass(frozen=True)
class Pair:
    """Two images, by index with a < b, that show the same; how it was found and how far apart they are."""

    a: int
    b: int
    method: str  # "bytes", "pixels", "gist" or "embedding"
    distance: float  # 0 for equal bytes or pixels, GIST distance, or 1 - cosine


@dataclass(frozen=True)
class Duplicates:
    """Pairs found, and for each image the index of the image it duplicates (itself if it is kept), (N,)."""

    pairs: tuple[Pair, ...]
    kept: Ints

    @property
    def groups(self) -> tuple[tuple[int, ...], ...]:
        """Components of two or more images, the kept one first."""
        members: dict[int, list[int]] = {}
        for index, keeper in enumerate(self.kept.tolist()):
            members.setdefault(keeper, []).append(index)
        ordered = ((keeper, *(i for i in group if i != keeper)) for keeper, group in members.items())
        return tuple(sorted(group for group in ordered if len(group) > 1))


def find_duplicates(
    prints: Fingerprints,
    settings: DuplicateSettings | None = None,
    *,
    embeddings: npt.NDArray[np.floating] | None = None,
    annotated: Sequence[int] | None = None,
    processes: int = 1,
) -> Duplicates:
    """Near-duplicates among N images.

    embeddings: (N, D), compared instead of GIST. annotated: number of objects of each image, to choose
    the one to keep. Raises DataError if embeddings or counts are not N.
    """
    settings = settings or DuplicateSettings()
    for name, values in (("embeddings", embeddings), ("annotated", annotated)):
        if values is not None and len(values) != len(prints):
            raise DataError(f"{len(values)} {name} for {len(prints)} images", rule="length")
    exact = [*_equal(prints.byte_digests, "bytes"), *_equal(prints.pixel_digests, "pixels")]
    known = {(pair.a, pair.b) for pair in exact}
    # One image stands for all with the same pixels, so that a thousand copies are not a million pairs.
    stand_ins = np.unique(components(len(prints), known))
    near = _near(prints, stand_ins, settings, embeddings, processes)
    pairs = sorted(
        {(p.a, p.b): p for p in [*near, *reversed(exact)]}.values(), key=lambda pair: (pair.a, pair.b)
    )
    return Duplicates(tuple(pairs), _keepers(prints, pairs, annotated))


def _equal(digests: npt.NDArray[np.uint8], method: str) -> Iterator[Pair]:
    """Each image with the first of the same digest."""
    first: dict[bytes, int] = {}
    for index, digest in enumerate(digests):
        earlier = first.setdefault(digest.tobytes(), index)
        if earlier != index:
            yield Pair(earlier, index, method, 0.0)


def _keepers(prints: Fingerprints, pairs: Sequence[Pair], annotated: Sequence[int] | None) -> Ints:
    group = components(len(prints), ((pair.a, pair.b) for pair in pairs))
    pixels = prints.sizes_hw.astype(np.int64).prod(axis=1)
    objects = np.zeros(len(prints), dtype=np.int64) if annotated is None else np.array(annotated)
    best: dict[int, int] = {}
    for index in np.lexsort((np.arange(len(prints)), -pixels, -objects)).tolist():
        best.setdefault(int(group[index]), index)
    return np.array([best[int(label)] for label in group], dtype=np.int64)


@dataclass(frozen=True)
class _Candidates:
    """P pairs: image `left` as it is against image `right` seen as `view`."""

    left: Ints
    right: Ints
    view: View


def _near(
    prints: Fingerprints,
    chosen: Ints,
    settings: DuplicateSettings,
    embeddings: npt.NDArray[np.floating] | None,
    processes: int,
) -> Iterator[Pair]:
    """Confirmed pairs among the images `chosen`, each once, by the first view that confirms it."""
    unit = None
    if embeddings is not None:
        unit = embeddings / np.maximum(np.linalg.norm(embeddings, axis=1, keepdims=True), 1e-12)
    limit = settings.gist_distance if unit is None else 1 - settings.cosine
    method = "gist" if unit is None else "embedding"
    known = np.zeros(
        0, dtype=np.int64
    )  # codes of the pairs found: one confirmed by a view needs no other view
    for candidates in _candidates(prints, chosen, settings, processes):
        fresh = _without(candidates, known, len(prints))
        for part in _in_batches(fresh):
            apart = _gist_distances(prints, part) if unit is None else _cosine_distances(unit, part)
            near = apart <= limit
            codes, first = np.unique(_codes(part, len(prints))[near], return_index=True)
            new = ~np.isin(codes, known)
            known = np.concatenate([known, codes[new]])
            for code, distance in zip(codes[new].tolist(), apart[near][first][new].tolist(), strict=True):
                yield Pair(code // len(prints), code % len(prints), method, distance)


def _codes(candidates: _Candidates, count: int) -> Ints:
    """(P,): one number a pair, whichever of its images is left."""
    low, high = np.minimum(candidates.left, candidates.right), np.maximum(candidates.left, candidates.right)
    return np.asarray(low * count + high, dtype=np.int64)


def _without(candidates: _Candidates, known: Ints, count: int) -> _Candidates:
    new = ~np.isin(_codes(candidates, count), known)
    return replace(candidates, left=candidates.left[new], right=candidates.right[new])


def _candidates(
    prints: Fingerprints, chosen: Ints, settings: DuplicateSettings, processes: int
) -> Iterator[_Candidates]:
    wanted = views(windows=settings.crops, mirrored=settings.mirrored, rotated=settings.rotated)
    p, d, flat = _hashes(prints, chosen, wanted)
    chosen, p, d = chosen[~flat], p[:, ~flat], d[:, ~flat]
    if len(chosen) < 2:
        return
    # Windows by pHash only: nine tables of the weaker dHash would double the work and add next to nothing.
    tasks = [(p[0], table, settings.near_bits) for table in p] + [(d[0], d[0], settings.near_bits)]
    for task, pairs in enumerate(_compared(tasks, processes)):
        v, other = (task, d) if task < len(wanted) else (0, p)
        left, right = pairs[:, 0], pairs[:, 1]
        agreed = bits_apart(other[0][left], other[v][right]) <= settings.far_bits
        keep = agreed & (left < right if wanted[v] == WHOLE else left != right)
        yield _Candidates(chosen[left[keep]], chosen[right[keep]], wanted[v])


def _hashes(
    prints: Fingerprints, chosen: Ints, wanted: Sequence[View]
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64], npt.NDArray[np.bool_]]:
    """pHash and dHash (V, N) of each view, and (N,) whether the image is of one colour."""
    p = np.empty((len(wanted), len(chosen)), dtype=np.uint64)
    d, flat = p.copy(), np.zeros(len(chosen), dtype=np.bool_)
    for start in range(0, len(chosen), _BATCH):
        part = slice(start, start + _BATCH)
        pictures = prints.thumbnails(chosen[part])
        luma, flat[part] = grey(pictures), is_flat(pictures)
        for v, view in enumerate(wanted):
            p[v, part], d[v, part] = phash(luma, view), dhash(luma, view)
    return p, d, flat


def _compared(
    tasks: Sequence[tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64], int]], processes: int
) -> Iterator[Ints]:
    if processes <= 1 or len(tasks[0][0]) < _SMALL:
        yield from (near_pairs(*task) for task in tasks)
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        yield from pool.map(near_pairs, *zip(*tasks, strict=True))


def _in_batches(candidates: _Candidates) -> Iterator[_Candidates]:
    for start in range(0, len(candidates.left), _BATCH):
        part = slice(start, start + _BATCH)
        yield replace(candidates, left=candidates.left[part], right=candidates.right[part])


def _gist_distances(prints: Fingerprints, part: _Candidates) -> Floats:
    if part.view == WHOLE:  # both are the same kind of descriptor, so each image needs one
        both, place = np.unique(np.concatenate([part.left, part.right]), return_inverse=True)
        descriptors = gist(prints.thumbnails(both))
        return distances(descriptors[place[: len(part.left)]], descriptors[place[len(part.left) :]])
    left, of_left = np.unique(part.left, return_inverse=True)
    right, of_right = np.unique(part.right, return_inverse=True)
    whole = gist(prints.thumbnails(left))
    viewed = gist(seen(prints.thumbnails(right), part.view))
    return distances(whole[of_left], viewed[of_right])


def _cosine_distances(unit: npt.NDArray[np.floating], part: _Candidates) -> Floats:
    cosines = np.einsum("ij,ij->i", unit[part.left], unit[part.right])
    return np.asarray(1 - cosines, dtype=np.float32)

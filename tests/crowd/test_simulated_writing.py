"""Captions and scores of simulated workers."""

from __future__ import annotations

import itertools

import numpy as np

from amidst.crowd.bodies import BallotTask, CandidateRef, CaptionTask, ImageRef
from amidst.crowd.simulated_workers import make_workers
from amidst.crowd.simulated_writing import describe, score
from amidst.crowd.world import generate_world

WORLD = 60


def test_captions_have_8_to_60_words_and_differ() -> None:
    world = generate_world(seed=2, num_images=WORLD)
    crew = make_workers(1, 5, world.categories)
    last: dict[int, list[set[str]]] = {worker.index: [] for worker in crew}
    near = total = 0
    for image in world.images:
        ref = ImageRef(id=image.record.id, width=image.record.width, height=image.record.height)
        task = CaptionTask(image=ref, min_words=8, max_words=60)
        rng = np.random.default_rng(image.record.id)
        bags = []
        for worker in crew:
            text = describe(task, image, worker, 1.0, rng).text
            assert 8 <= len(text.split()) <= 60
            assert text[0].isupper()
            assert text.endswith(".")
            bags.append(set(text.lower().replace(",", "").rstrip(".").split()))
            near += sum(jaccard(bags[-1], old) >= 0.9 for old in last[worker.index][-50:])
            last[worker.index].append(bags[-1])
            total += 1
        near += sum(jaccard(a, b) >= 0.9 for a, b in itertools.combinations(bags, 2))
    assert near <= 0.05 * total  # the rest has to be written again, as with people


def test_a_caption_names_what_is_there() -> None:
    world = generate_world(seed=2, num_images=20)
    names = {category.id: category.name for category in world.categories}
    image = next(image for image in world.images if image.layout == "iconic object")
    ref = ImageRef(id=image.record.id, width=image.record.width, height=image.record.height)
    worker = make_workers(1, 1, world.categories)[0]
    rng = np.random.default_rng(0)
    texts = [
        describe(CaptionTask(image=ref, min_words=8, max_words=60), image, worker, 1.0, rng).text
        for _ in range(20)
    ]
    assert any(names[image.objects[0].category_id] in text for text in texts)


def jaccard(one: set[str], other: set[str]) -> float:
    return len(one & other) / len(one | other)


def test_every_candidate_gets_a_score_and_tastes_are_shared() -> None:
    crew = make_workers(1, 30, generate_world(seed=0, num_images=0).categories)
    task = BallotTask(candidates=tuple(CandidateRef(id=k, name=f"thing {k}") for k in range(40)))
    rng = np.random.default_rng(0)
    table = np.array([[s.score for s in score(task, worker, 1.0, rng).scores] for worker in crew])
    assert table.shape == (30, 40)
    assert set(np.unique(table)) <= {1, 2, 3, 4, 5}
    assert np.corrcoef(table[:15].mean(axis=0), table[15:].mean(axis=0))[0, 1] > 0.8
    assert score(BallotTask(candidates=()), crew[0], 1.0, rng).scores == ()

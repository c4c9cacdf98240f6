"""From tickets to answers."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from numpy.random import default_rng

from amidst.crowd.bodies import BODIES, CategoryRef, GridMask, ImageRef, SpottingTask, VerificationBody
from amidst.crowd.bodies import VerificationTask as Grid
from amidst.crowd.simulated_answers import Memory, answer, turn_rng
from amidst.crowd.simulated_workers import CrowdModel, make_workers
from amidst.crowd.world import World, generate_world


@pytest.fixture(scope="module")
def world() -> World:
    return generate_world(seed=5, num_images=12)


def spotting(world: World) -> SpottingTask:
    image = next(image for image in world.images if image.objects)
    thing = image.objects[0]
    x, y, width, height = thing.box_xywh
    return SpottingTask(
        image=ImageRef(id=image.record.id, width=image.record.width, height=image.record.height),
        category=CategoryRef(id=thing.category_id, name=""),
        prior_xy=(x + width / 2, y + height / 2),
        max_points=10,
    )


def test_the_same_turn_gives_the_same_answer(world: World) -> None:
    worker = make_workers(1, 1, world.categories)[0]
    images = {image.record.id: image for image in world.images}
    task = spotting(world)
    turns = [answer(task, images, worker, turn_rng(7, worker, 3), Memory()) for _ in range(2)]
    assert turns[0] == turns[1]
    assert msgspec.json.decode(msgspec.json.encode(turns[0].body), type=BODIES["spotting"]) == turns[0].body
    assert turn_rng(7, worker, 3).random() != turn_rng(7, worker, 4).random()


def test_an_image_that_is_not_of_the_world_is_an_error(world: World) -> None:
    worker = make_workers(1, 1, world.categories)[0]
    with pytest.raises(KeyError):
        answer(spotting(world), {}, worker, default_rng(0), Memory())


def test_who_has_done_much_sees_less(world: World) -> None:
    model = CrowdModel(fatigue=(0.9, 0.0), skill=(0.9, 0.0), spam=0.0)
    worker = make_workers(1, 1, world.categories, model)[0]
    image = max(world.images, key=lambda image: len(image.objects))
    category_id = image.objects[0].category_id
    task = SpottingTask(
        image=ImageRef(id=image.record.id, width=image.record.width, height=image.record.height),
        category=CategoryRef(id=category_id, name=""),
        prior_xy=(0.0, 0.0),
        max_points=10,
    )
    images, rng = {image.record.id: image}, default_rng(0)
    fresh, tired = (
        np.mean([len(answer(task, images, worker, rng, Memory(done)).body.points) for _ in range(200)])  # type: ignore[union-attr]
        for done in (0, 1000)
    )
    assert tired < 0.5 * fresh


def test_workers_leave_as_often_as_they_do_and_spammers_are_fast(world: World) -> None:
    task, rng = spotting(world), default_rng(0)
    images = {image.record.id: image for image in world.images}
    seconds = {}
    for share in (0.0, 1.0):
        model = CrowdModel(drop_out=(0.2, 0.0), pace=0.0, spam=share)
        worker = make_workers(1, 1, world.categories, model)[0]
        turns = [answer(task, images, worker, rng, Memory()) for _ in range(800)]
        assert np.mean([turn.leaves for turn in turns]) == pytest.approx(0.2, abs=0.05)
        seconds[share] = np.median([turn.seconds for turn in turns])
    assert seconds[1.0] < 0.5 * seconds[0.0]


def test_the_earlier_try_is_remembered(world: World) -> None:
    worker = make_workers(1, 1, world.categories, CrowdModel(spam=0.0))[0]
    image = next(image for image in world.images if image.objects)
    thing = image.objects[0]
    ref = ImageRef(id=image.record.id, width=image.record.width, height=image.record.height)
    item = GridMask(
        image=ref,
        category=CategoryRef(id=thing.category_id, name=""),
        crop_xywh=(0, 0, 9, 9),
        mask=thing.mask,
    )
    memory = Memory(earlier=VerificationBody(bad=(1,)))
    body = answer(Grid(items=(item,) * 4), {image.record.id: image}, worker, default_rng(0), memory).body
    assert isinstance(body, VerificationBody)
    assert 1 in body.bad

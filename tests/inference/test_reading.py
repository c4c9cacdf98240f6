from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from amidst.errors import ImageError
from amidst.inference.reading import (
    Opened,
    Prepared,
    Source,
    Unreadable,
    in_background,
    open_image,
    prepare,
    read_ahead,
)
from amidst.training.config import ResizeConfig

RULE = ResizeConfig(short=32, long=64)
CPU = torch.device("cpu")


@pytest.mark.parametrize("workers", [0, 1, 3])
@pytest.mark.parametrize("count", [0, 1, 17])
def test_order_is_kept(workers: int, count: int) -> None:
    def slow_for_even(number: int) -> int:
        time.sleep(0.002 if number % 2 == 0 else 0)
        return number * number

    squares = list(read_ahead(range(count), slow_for_even, workers=workers, ahead=4))
    assert squares == [number * number for number in range(count)]


def test_no_more_is_read_than_asked_for() -> None:
    begun: list[int] = []
    items = read_ahead(range(100), lambda number: begun.append(number) or number, workers=2, ahead=5)
    for consumed in range(1, 11):
        next(items)
        time.sleep(0.005)
        assert len(begun) <= consumed + 5
    items.close()
    assert len(begun) < 20


def test_an_exception_surfaces_at_its_item() -> None:
    def read(number: int) -> int:
        if number == 2:
            raise ValueError("item 2")
        return number

    items = read_ahead(range(5), read, workers=2, ahead=3)
    assert [next(items), next(items)] == [0, 1]
    with pytest.raises(ValueError, match="item 2"):
        next(items)


def test_threads_end_with_the_iterator() -> None:
    items = read_ahead(range(50), lambda number: number, workers=2, ahead=3)
    next(items)
    items.close()
    for thread in threading.enumerate():
        if thread.name.startswith("amidst-read"):
            thread.join(timeout=10)
            assert not thread.is_alive()


def test_prepare_resizes_by_the_rule(photographs: list[Path]) -> None:
    prepared = prepare(Source(photographs[5]), RULE, CPU)
    assert isinstance(prepared, Prepared)
    assert prepared.size_hw == (30, 200)
    assert prepared.image.shape == (3, 10, 64)  # the long side decides
    assert prepared.image.dtype == torch.uint8


def test_prepare_hands_over_what_it_cannot_read(tmp_path: Path, photographs: list[Path]) -> None:
    missing = prepare(Source(tmp_path / "nowhere.jpg"), RULE, CPU)
    assert isinstance(missing, Unreadable)
    assert isinstance(missing.error, ImageError)
    wrong_size = prepare(Source(photographs[0], (1, 1)), RULE, CPU)
    assert isinstance(wrong_size, Unreadable)
    assert "96x64" in str(wrong_size.error)


@pytest.mark.parametrize("count", [0, 1, 20])
def test_a_background_thread_gives_the_same_items(count: int) -> None:
    assert list(in_background(iter(range(count)), ahead=3)) == list(range(count))


def test_a_background_thread_is_not_far_ahead() -> None:
    begun: list[int] = []

    def numbers() -> Iterator[int]:
        for number in range(100):
            begun.append(number)
            yield number

    items = in_background(numbers(), ahead=3)
    for consumed in range(1, 8):
        next(items)
        time.sleep(0.005)
        assert len(begun) <= consumed + 5
    items.close()


def test_what_a_background_thread_stumbles_over_surfaces_at_its_place() -> None:
    def numbers() -> Iterator[int]:
        yield 0
        raise ValueError("item 1")

    items = in_background(numbers(), ahead=2)
    assert next(items) == 0
    with pytest.raises(ValueError, match="item 1"):
        next(items)


def test_leaving_early_closes_what_was_iterated() -> None:
    closed = threading.Event()

    def numbers() -> Iterator[int]:
        try:
            yield from range(10_000_000)
        finally:
            closed.set()

    items = in_background(numbers(), ahead=2)
    next(items)
    items.close()
    assert closed.wait(timeout=10)


def test_open_images_keep_their_size(photographs: list[Path], tmp_path: Path) -> None:
    opened = open_image(Source(photographs[0], (64, 96), 5))
    assert isinstance(opened, Opened)
    assert (opened.pixels.shape, opened.source.image_id) == ((64, 96, 3), 5)
    assert isinstance(open_image(Source(tmp_path / "absent.jpg")), Unreadable)

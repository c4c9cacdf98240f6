"""Run-length masks against golden vectors of the reference C code, and against plain definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from amidst.coco import Rle, masks
from amidst.errors import DataError

# polygon, (height, width), counts, text, area, box
POLYGONS = [
    ([1, 1, 1, 4, 4, 4, 4, 1], (6, 6), "7 3 3 3 3 3 14", "733000;", 9, [1, 1, 3, 3]),
    ([0.5, 0.5, 0.5, 3.5, 3.5, 3.5, 3.5, 0.5], (5, 5), "6 3 2 3 2 3 6", "6320004", 9, [1, 1, 3, 3]),
    ([0.4, 0.4, 0.4, 3.6, 3.6, 3.6, 3.6, 0.4], (5, 5), "0 4 1 4 1 4 1 4 6", "041000005", 16, [0, 0, 4, 4]),
    ([1, 1, 8, 1, 1, 8], (10, 10), "11 6 4 5 5 4 6 3 7 2 8 1 38", ";64O1O1O1O1On0", 21, [1, 1, 6, 6]),
    (
        [2.3, 1.7, 9.1, 5.2, 3.6, 8.8],
        (10, 12),
        "32 6 5 5 5 5 6 3 7 2 9 1 34",
        "P165O001N1O2Oi0",
        22,
        [3, 2, 6, 6],
    ),
    ([-3, -3, -3, 3, 3, 3, 3, -3], (5, 5), "0 3 2 3 2 3 12", "032000:", 9, [0, 0, 3, 3]),
    ([0, 0, 6, 6, 6, 0, 0, 6], (6, 6), "0 5 2 3 4 1 5 1 4 3 2 5 1", "052N2N10O2N2O", 18, [0, 0, 6, 5]),
    (
        [5, 0, 7.5, 9, 0.5, 3.5, 9.5, 3.5, 2.5, 9],
        (10, 10),
        "24 1 9 4 4 2 8 2 10 1 1 2 6 1 25",
        "h0193KN402OG15Oc0",
        13,
        [2, 2, 6, 6],
    ),
    ([7, 7, 7, 9, 9, 9, 9, 7], (5, 5), "25", "i0", 0, [0, 0, 0, 0]),
    ([-2, -2, -2, 9, 9, 9, 9, -2], (5, 4), "0 20", "0d0", 20, [0, 0, 4, 5]),
]
# set pixels (row, column), (height, width), counts, text, area, box
PIXELS = [
    ([(3, 1), (0, 2)], (4, 5), "7 2 11", "72;", 2, [1, 0, 2, 4]),
    ([], (3, 4), "12", "<", 0, [0, 0, 0, 0]),
    ([(r, c) for r in range(3) for c in range(4)], (3, 4), "0 12", "0<", 12, [0, 0, 4, 3]),
    ([(7, 3), (1500, 20)], (2000, 40), "6007 1 35492 1 38499", "gk51TeR10om2", 2, [3, 7, 18, 1494]),
]
A = masks.from_polygons([POLYGONS[0][0]], (6, 6))
B = masks.from_polygons([[2, 2, 2, 6, 6, 6, 6, 2]], (6, 6))


def runs(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in text.split())


def check_golden(rle: Rle, counts: str, text: str, area: int, box: list[int]) -> None:
    assert rle.counts == text
    assert masks.counts(rle) == runs(counts)
    assert masks.compress(Rle(rle.size, runs(counts))) == rle
    assert masks.area([rle]).tolist() == [area]
    assert masks.boxes([rle]).tolist() == [box]
    masks.check(rle)


class TestGolden:
    @pytest.mark.parametrize(("polygon", "size", "counts", "text", "area", "box"), POLYGONS)
    def test_polygon(self, polygon, size, counts, text, area, box) -> None:  # type: ignore[no-untyped-def]
        check_golden(masks.from_polygons([polygon], size), counts, text, area, box)

    @pytest.mark.parametrize(("pixels", "size", "counts", "text", "area", "box"), PIXELS)
    def test_pixels(self, pixels, size, counts, text, area, box) -> None:  # type: ignore[no-untyped-def]
        mask = np.zeros((1, *size), bool)
        for row, column in pixels:
            mask[0, row, column] = True
        (rle,) = masks.encode(mask)
        check_golden(rle, counts, text, area, box)
        assert (masks.decode([rle]) == mask).all()

    def test_box(self) -> None:
        rle = masks.from_box([1.5, 2.5, 2, 1], (6, 6))
        check_golden(rle, "15 1 5 1 14", "?1509", 2, [2, 3, 2, 1])

    def test_overlap(self) -> None:
        assert masks.iou([A], [B])[0, 0] == pytest.approx(4 / 21, abs=1e-15)
        assert masks.iou([A], [B], [True])[0, 0] == pytest.approx(4 / 9, abs=1e-15)
        assert masks.counts(masks.merge([A, B])) == runs("7 3 3 5 1 5 2 4 2 4")
        assert masks.counts(masks.merge([A, B], intersect=True)) == runs("14 2 4 2 14")


class TestEmpty:
    def test_no_masks(self) -> None:
        assert masks.encode(np.zeros((0, 3, 4), bool)) == []
        assert masks.decode([], (3, 4)).shape == (0, 3, 4)
        assert masks.area([]).shape == (0,)
        assert masks.boxes([]).shape == (0, 4)
        assert masks.iou([], []).shape == (0, 0)
        assert masks.iou([A], []).shape == (1, 0)
        assert masks.iou([], [A, B]).shape == (0, 2)
        assert masks.box_iou(np.zeros((0, 4)), [[0, 0, 1, 1]]).shape == (0, 1)
        assert masks.box_iou([], []).shape == (0, 0)
        assert masks.nms([], 0.5).tolist() == []

    def test_no_pixels(self) -> None:
        assert masks.empty((3, 4)) == masks.from_polygons([], (3, 4)) == Rle((3, 4), "<")
        assert masks.area([masks.empty((3, 4))]).tolist() == [0]
        assert masks.iou([masks.empty((6, 6))], [A, masks.empty((6, 6))]).tolist() == [[0, 0]]

    @pytest.mark.parametrize("shape", [(2, 0, 4), (2, 3, 0)])
    def test_no_room(self, shape: tuple[int, int, int]) -> None:
        rles = masks.encode(np.zeros(shape, bool))
        assert masks.area(rles).tolist() == [0, 0]
        assert masks.decode(rles).shape == shape


STACKS = arrays(bool, st.tuples(st.integers(1, 4), st.integers(1, 9), st.integers(1, 9)))


@settings(deadline=None, max_examples=60)
@given(STACKS)
def test_dense_masks(stack: np.ndarray) -> None:
    """Everything that can be said of masks, said by counting pixels."""
    rles = masks.encode(stack)
    assert (masks.decode(rles) == stack).all()
    assert masks.area(rles).tolist() == stack.sum((1, 2)).tolist()
    for rle, mask, box in zip(rles, stack, masks.boxes(rles).tolist(), strict=True):
        lengths = masks.counts(rle)
        assert masks.compress(Rle(rle.size, lengths)) == rle
        assert np.repeat(np.arange(len(lengths)) % 2, lengths).tolist() == mask.T.ravel().tolist()
        rows, columns = np.nonzero(mask)
        x, y, w, h = box
        if rows.size:
            assert (x, x + w) == (columns.min(), columns.max() + 1)
            # A run over the end of a column makes the reference take the full height, larger than tight.
            assert y <= rows.min()
            assert y + h >= rows.max() + 1
    assert (masks.decode([masks.merge(rles)])[0] == stack.any(0)).all()
    assert (masks.decode([masks.merge(rles, intersect=True)])[0] == stack.all(0)).all()
    crowd = np.arange(len(stack)) % 2 == 1
    both = np.einsum("dhw,ghw->dg", stack.astype(int), stack.astype(int))
    area = stack.sum((1, 2))
    whole = np.where(crowd, area[:, None], area[:, None] + area - both)
    expected = np.divide(both, whole, out=np.zeros(both.shape), where=both > 0)
    np.testing.assert_allclose(masks.iou(rles, rles, crowd), expected, rtol=0, atol=1e-12)


class TestPolygons:
    def test_parts_are_united(self) -> None:
        square, inner = [0, 0, 8, 0, 8, 8, 0, 8], [2, 2, 4, 2, 4, 4, 2, 4]
        assert masks.area([masks.from_polygons([square, inner], (9, 9))]).tolist() == [64], "no hole"
        apart = [[0, 0, 2, 0, 2, 2, 0, 2], [4, 4, 6, 4, 6, 6, 4, 6]]
        assert masks.area([masks.from_polygons(apart, (9, 9))]).tolist() == [8]

    def test_hole_by_one_outline(self) -> None:
        """The outline runs into the hole and back along the same line; even-odd leaves the hole empty."""
        outline = [0, 0, 8, 0, 8, 8, 0, 8, 0, 0, 2, 2, 2, 4, 4, 4, 4, 2, 2, 2]
        mask = masks.decode([masks.from_polygons([outline], (9, 9))])[0]
        assert mask[3, 3] == 0
        assert mask[1, 6] == mask[7, 7] == 1

    @pytest.mark.parametrize(
        "polygon",
        [[], [1, 2, 3, 4], [1, 2, 3, 4, 5], [1, 2, 3, 4, 5, 6, 7], [0, 0, 1, float("nan"), 2, 2],
         [0, 0, 1, float("inf"), 2, 2], [0, 0, 1e12, 0, 0, 1e12]],
    )  # fmt: skip
    def test_refused(self, polygon: list[float]) -> None:
        with pytest.raises(DataError) as caught:
            masks.from_polygons([[0, 0, 1, 0, 1, 1], polygon], (9, 9))
        assert caught.value.rule == "bad-polygon"

    @settings(deadline=None, max_examples=30)
    @given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 30)), min_size=3, max_size=8))
    def test_fill_is_even_odd(self, points: list[tuple[int, int]]) -> None:
        """Away from the outline, a pixel is set if a ray from it crosses it an odd number of times."""
        polygon = np.array(points, float)
        mask = masks.decode([masks.from_polygons([polygon.ravel().tolist()], (30, 40))])[0]
        y, x = np.mgrid[:30, :40] + 0.5
        inside, near = np.zeros((30, 40), bool), np.zeros((30, 40), bool)
        for (x0, y0), (x1, y1) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
            if y0 != y1:
                inside ^= ((y0 > y) != (y1 > y)) & (x < x0 + (y - y0) * (x1 - x0) / (y1 - y0))
            along = np.array([x1 - x0, y1 - y0])
            t = ((x - x0) * along[0] + (y - y0) * along[1]) / max(float(along @ along), 1e-9)
            t = np.clip(t, 0, 1)
            near |= np.hypot(x - x0 - t * along[0], y - y0 - t * along[1]) < 1
        assert (mask.astype(bool) == inside)[~near].all()


class TestSegmentations:
    def test_every_form_is_the_same_mask(self) -> None:
        polygon = tuple(float(v) for v in POLYGONS[0][0])
        forms = [(polygon,), A, Rle((6, 6), runs("7 3 3 3 3 3 14"))]
        assert [masks.from_segmentation(form, (6, 6)) for form in forms] == [A] * 3

    @pytest.mark.parametrize(
        ("rle", "rule"),
        [
            (Rle((5, 6), "733000;"), "mask-size"),
            (Rle((6, 6), "733000"), "bad-rle"),
            (Rle((6, 6), "zz z"), "bad-rle"),
            (Rle((6, 6), "733000n"), "bad-rle"),
            (Rle((6, 6), (7, 3)), "bad-rle"),
            (Rle((6, 6), (40, -4)), "bad-rle"),
            (Rle((6, 6), ()), "bad-rle"),
        ],
    )
    def test_refused(self, rle: Rle, rule: str) -> None:
        with pytest.raises(DataError) as caught:
            masks.from_segmentation(rle, (6, 6))
        assert caught.value.rule == rule
        with pytest.raises(DataError):
            masks.decode([rle], (6, 6))

    def test_sizes_have_to_agree(self) -> None:
        with pytest.raises(DataError, match="one size"):
            masks.merge([A, masks.empty((5, 6))])
        with pytest.raises(DataError, match="one size"):
            masks.decode([])
        with pytest.raises(DataError, match="sizes"):
            masks.iou([A], [masks.empty((5, 6))])
        with pytest.raises(DataError, match="shape"):
            masks.encode(np.zeros((3, 4)))


class TestSuppression:
    def test_in_the_given_order(self) -> None:
        stack = np.zeros((4, 10, 10), bool)
        for mask, columns in zip(stack, [(0, 6), (2, 8), (0, 7), (8, 10)], strict=True):
            mask[:, slice(*columns)] = True
        rles = masks.encode(stack)
        assert masks.nms(rles, 0.4).tolist() == [0, 3]
        assert masks.nms(rles, 0.5).tolist() == [0, 1, 3]
        assert masks.nms(rles, 1.0).tolist() == [0, 1, 2, 3]


def test_box_overlap() -> None:
    boxes = [[0, 0, 2, 2], [1, 1, 2, 2], [5, 5, 1, 1], [0, 0, 0, 3]]
    plain = masks.box_iou(boxes, boxes[:3])
    np.testing.assert_allclose(plain[0], [1, 1 / 7, 0])
    assert plain[3].tolist() == [0, 0, 0]
    np.testing.assert_allclose(masks.box_iou(boxes, boxes[:3], [False, True, False])[0], [1, 1 / 4, 0])

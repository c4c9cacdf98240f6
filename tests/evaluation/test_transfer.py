"""Models on other datasets than their own: the table, the drops, and Table 2.1 of the thesis."""

from __future__ import annotations

import numpy as np
import pytest

from amidst.coco import Annotation, Category, CocoDataset, Image, Results
from amidst.errors import UsageError
from amidst.evaluation.transfer import to_builtins, transfer


def dataset(*names: str) -> CocoDataset:
    """One object of each category; ids differ between datasets, names do not."""
    categories = tuple(Category(10 * len(names) + k, name) for k, name in enumerate(names))
    annotations = tuple(Annotation(k, 1, c.id, (20 * k, 0, 10, 10), 100) for k, c in enumerate(categories))
    return CocoDataset((Image(1, 99, 99, "a"),), annotations, categories)


def hits(of: CocoDataset, *found: str) -> Results:
    chosen = [
        a for a in of.annotations if next(c for c in of.categories if c.id == a.category_id).name in found
    ]
    return Results(
        np.ones(len(chosen)),
        np.array([a.category_id for a in chosen]),
        np.ones(len(chosen)),
        np.array([a.bbox_xywh for a in chosen], float).reshape(-1, 4),
    )


A, B = dataset("dog", "cat", "bus"), dataset("cat", "dog")


def test_no_datasets_and_no_results() -> None:
    with pytest.raises(UsageError, match="no dataset"):
        transfer({}, {})
    assert transfer({"a": A}, {}).models == ()


def test_drops_by_hand_over_shared_categories() -> None:
    table = transfer(
        {"a": A, "b": B},
        {("a", "a"): hits(A, "dog", "cat", "bus"), ("a", "b"): hits(B, "dog"), ("b", "b"): Results.empty()},
    )
    assert set(table.categories) == {"dog", "cat"}
    assert table.ap("a", "a") == 1
    assert table.ap("a", "b") == 0.5
    assert table.drop("a", "b") == 0.5
    assert table.drop("a", "a") == 0
    assert table.relative_drop("a") == 0.5
    assert table.ap("b", "a") is None
    assert table.drop("b", "a") is None
    assert table.relative_drop("b") is None
    assert to_builtins(table)["models"]["a"]["by_category"]["b"] == {"cat": 0, "dog": 1}


def test_a_model_of_another_name() -> None:
    table = transfer(
        {"a": A, "b": B}, {("m", "a"): hits(A, "dog"), ("m", "b"): hits(B, "dog", "cat")}, {"m": "a"}
    )
    assert table.drop("m", "b") == -0.5
    assert table.relative_drop("m") == -1
    unknown = transfer({"a": A}, {("m", "a"): hits(A)})
    assert unknown.trained_on["m"] is None
    assert unknown.drop("m", "a") is None


def test_chosen_categories() -> None:
    table = transfer({"a": A, "b": B}, {("a", "b"): hits(B, "dog")}, categories=["dog"])
    assert table.ap("a", "b") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (({"a": A}, {("a", "z"): hits(A)}), "'z'"),
        (({"a": A}, {("m", "a"): hits(A)}, {"m": "z"}), "'z'"),
        (({"a": A, "z": dataset("tree")}, {}), "no category in common"),
    ],
)
def test_misuse_is_named(arguments: tuple[object, ...], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        transfer(*arguments)  # type: ignore[arg-type]


def test_an_unknown_category_is_named() -> None:
    with pytest.raises(UsageError, match="'bus'"):
        transfer({"a": A, "b": B}, {}, categories=["bus"])


def test_table_2_1_of_the_thesis() -> None:
    """DPM trained on PASCAL or COCO: drops of 12.7 and 7.7 points."""
    means = {
        ("pascal", "pascal"): 29.6,
        ("pascal", "coco"): 16.9,
        ("coco", "pascal"): 26.8,
        ("coco", "coco"): 19.1,
    }
    results = {pair: Results.empty() for pair in means}
    order = iter(means.values())
    table = transfer({"pascal": B, "coco": B}, results, score=lambda *_: {"all": next(order)})
    assert table.drop("pascal", "coco") == pytest.approx(12.7)
    assert table.drop("coco", "pascal") == pytest.approx(-7.7)
    assert table.relative_drop("pascal") == pytest.approx(12.7 / 29.6)

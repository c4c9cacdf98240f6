"""amidst.config: typed, frozen configuration and its overrides."""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec
import pytest

from amidst.config import Config, from_builtins, keys, override, to_builtins
from amidst.errors import ConfigError
from amidst.recipes import fpn_masks, masks
from amidst.training.config import Experiment


class Inner(Config):
    rate: float = 0.5
    sides: tuple[int, ...] = ()


class Outer(Config):
    name: str = "x"
    limit: int | None = None
    inner: Inner = Inner()


def test_no_override_changes_nothing() -> None:
    assert override(Outer(), []) == Outer()


@pytest.mark.parametrize(
    ("assignment", "expected"),
    [
        ("name=y", Outer(name="y")),
        ("name=a=b", Outer(name="a=b")),
        ("limit=3", Outer(limit=3)),
        ("limit=null", Outer()),
        ("limit=None", Outer()),
        ("inner.rate=1", Outer(inner=Inner(rate=1.0))),
        ("inner.sides=[3,4]", Outer(inner=Inner(sides=(3, 4)))),
    ],
)
def test_override_sets_one_value(assignment: str, expected: Outer) -> None:
    assert override(Outer(), [assignment]) == expected


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("limit", "expected key=value"),
        ("limt=3", "did you mean limit"),
        ("inner.rat=3", "did you mean inner.rate"),
        ("name.x=3", "unknown configuration key"),
        ("inner.rate=fast", r"Expected `float`, got `str` - at `\$\.inner\.rate`"),
        ("inner.sides=[1.5]", "Expected `int`"),
        ("inner=3", "Expected `object`"),
    ],
)
def test_override_explains_a_mistake(assignment: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        override(Outer(), [assignment])


@pytest.mark.parametrize(
    ("recipe", "assignment"),
    [
        (fpn_masks.lite, "model.decode.mask_threshold=1"),
        (fpn_masks.lite, "model.decode.mask_threshold=0"),
        (fpn_masks.lite, "model.decode.num_proposals=0"),
        (fpn_masks.lite, "model.mask_side=0"),
        (fpn_masks.lite, "model.hidden=0"),
        (fpn_masks.lite, "model.cells.sampled=0"),
        (fpn_masks.lite, "model.cells.positive_share=2"),
        (fpn_masks.lite, "model.cells.mask_weight=-1"),
        (masks.deepmask_lite, "model.dropout=2"),
        (masks.deepmask_lite, "model.dropout=1"),
        (masks.deepmask_lite, "model.mask_weight=-1"),
        (masks.deepmask_lite, "data.patches.per_image=0"),
        (masks.deepmask_lite, "data.patches.score_share=2"),
        (masks.deepmask_lite, "data.patches.positive_share=-1"),
        (masks.deepmask_lite, "data.patches.flip=2"),
        (masks.deepmask_lite, "data.resize.short=0"),
    ],
)
def test_a_setting_of_mask_proposals_beyond_its_bounds_is_refused(
    recipe: Callable[[], Experiment], assignment: str
) -> None:
    key = assignment.partition("=")[0]
    with pytest.raises(ConfigError, match=rf"Expected `(int|float)` [<>]=? \d.* - at `\$\.{re.escape(key)}`"):
        override(recipe(), [assignment])


def test_override_leaves_the_original_alone() -> None:
    original = Outer()
    override(original, ["name=y"])
    assert original == Outer()
    with pytest.raises(AttributeError):
        original.name = "y"  # type: ignore[misc]


def test_an_experiment_survives_json() -> None:
    experiment = override(Experiment(name="run"), ["model.loss.gamma=1", "data.train_short_sides=[256,320]"])
    text = msgspec.json.encode(to_builtins(experiment))
    assert from_builtins(msgspec.json.decode(text), Experiment) == experiment


def test_unknown_fields_are_refused() -> None:
    with pytest.raises(ConfigError, match="unknown field `colour`"):
        from_builtins({"name": "run", "colour": "red"}, Experiment)


def test_keys_are_the_ones_that_override_takes() -> None:
    assert keys(Outer()) == ["name", "limit", "inner.rate", "inner.sides"]
    assert "model.loss.gamma" in keys(Experiment(name="run"))

"""The sprite holds a symbol for whatever the engine names, and nothing else."""

from __future__ import annotations

import re
from importlib.resources import files
from xml.etree import ElementTree

import pytest

from amidst.coco.categories import icon_groups, selected_categories
from amidst.crowd.vocabulary import definition_of, group_icon, icon_of, icons

SPRITE = files("amidst.apps.server").joinpath("static/icons.svg")
SVG = "{http://www.w3.org/2000/svg}"


def test_names_that_are_not_cocos_have_no_icon_and_no_definition() -> None:
    for name in ("", "unicorn", "group-animal", "dog2"):
        assert (icon_of(name), group_icon(name), definition_of(name)) == ("", "", "")


@pytest.mark.parametrize(
    ("name", "icon"), [("dog", "dog"), ("Hot Dog ", "hot-dog"), ("hair drier", "hair-drier"), ("TV", "tv")]
)
def test_an_icon_goes_by_the_name(name: str, icon: str) -> None:
    assert icon_of(name) == icon


def test_the_sprite_has_the_91_and_the_11() -> None:
    symbols = [one.attrib["id"] for one in ElementTree.fromstring(SPRITE.read_bytes()).iter(f"{SVG}symbol")]
    assert len(symbols) == len(set(symbols)) == 91 + 11
    assert set(symbols) == icons()
    assert {icon_of(one.name) for one in selected_categories()} <= icons()
    assert {group_icon(name) for name in icon_groups()} <= icons()


def test_the_sprite_is_small_and_holds_nothing_that_runs_or_loads() -> None:
    text = SPRITE.read_text()
    assert len(text) < 300_000
    assert not re.search(r"<script|\son\w+=|style|url\(|<image|foreignObject|data:", text)
    assert all(target.startswith("#") for target in re.findall(r'href="([^"]*)"', text))


def test_every_icon_has_its_origin_in_the_list() -> None:
    listed = set(re.findall(r"`([a-z-]+)`", SPRITE.parent.joinpath("icons.md").read_text()))
    assert {icon_of(one.name) for one in selected_categories()} <= listed


def test_every_category_has_a_line_that_fits_a_tooltip() -> None:
    for one in selected_categories():
        assert 10 <= len(definition_of(one.name)) <= 100, one.name

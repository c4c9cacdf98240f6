"""The form of the configuration: complete, and with the comments of its source."""

from __future__ import annotations

import pytest

from amidst.apps.server.crowd.settings_form import form
from amidst.config import Config, keys, to_builtins
from amidst.crowd.config import STAGES, CampaignConfig


class Small(Config, frozen=True):
    """A class of one field."""

    size: int = 3  # of a thing


def test_every_setting_is_asked_with_its_default() -> None:
    fields = [field for group in form() for field in group.fields]
    assert sorted(field.key for field in fields) == sorted(keys(CampaignConfig()))
    tree = to_builtins(CampaignConfig())
    assert next(one for one in fields if one.key == "name").default == tree["name"]
    assert next(one for one in fields if one.key == "spotting.workers").default == tree["spotting"]["workers"]


def test_comments_and_documentation_come_from_the_source() -> None:
    (group,) = form(Small)
    assert (group.name, group.about) == ("campaign", "A class of one field.")
    assert [(one.key, one.kind, one.default, one.note) for one in group.fields] == [
        ("size", "whole", 3, "of a thing")
    ]


def test_kinds() -> None:
    kinds = {field.key: field for group in form() for field in group.fields}
    assert kinds["stages"].choices == STAGES
    assert kinds["verification.early_stop"].kind == "flag"
    assert kinds["labelling.cluster_px"].kind == "number"
    assert kinds["labelling.workers"].kind == "whole"
    assert kinds["version"].kind == "text"


def test_a_type_without_an_input_is_refused() -> None:
    class Odd(Config, frozen=True):
        pairs: dict[str, int]

    with pytest.raises(TypeError, match="no input"):
        form(Odd)

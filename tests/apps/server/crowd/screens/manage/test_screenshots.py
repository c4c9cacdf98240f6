"""tools/make_screenshots.py still finds its way: a stage's screen and a manager's page of the demo."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from PIL import Image

from amidst.apps.cli.demo_campaign import Entrances

TOOL = Path(__file__).resolve().parents[6] / "tools" / "make_screenshots.py"


def test_a_stage_and_a_page_are_photographed(demo: Any, browser: Any, tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("make_screenshots", TOOL)
    assert spec is not None
    assert spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    tokens = {role: link.partition("#")[2] for role, link in demo.links.items()}
    tool.photograph(browser, demo.address, Entrances(**tokens), ["spotting", "people"], tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["people.webp", "spotting.webp"]
    for path in tmp_path.iterdir():
        with Image.open(path) as picture:
            assert picture.size == (1280, 760)
            assert len(picture.getcolors(1 << 20) or []) > 100  # something is on it

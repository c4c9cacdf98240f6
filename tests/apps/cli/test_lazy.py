"""Commands that are loaded when they are called."""

from __future__ import annotations

import subprocess
import sys

import pytest
import typer

from amidst.apps.cli.lazy import lazy_group, load, placeholder
from amidst.errors import MissingExtra


def test_a_placeholder_gives_way_to_the_app_of_its_module() -> None:
    app = typer.Typer(cls=lazy_group({"version": "amidst.apps.cli.recipes"}))
    app.command("version")(placeholder)
    app.command("plain")(placeholder)
    group = typer.main.get_command(app)
    context = typer.Context(group)
    assert group.resolve_command(context, ["version"])[1].help.startswith("List the training recipes")  # type: ignore[attr-defined]
    assert group.resolve_command(context, ["plain", "x"])[2] == ["x"]  # type: ignore[attr-defined]


def test_a_missing_package_names_its_extra() -> None:
    with pytest.raises(ModuleNotFoundError):
        load("x", "amidst.nothing_of_the_kind")
    with pytest.raises(MissingExtra, match=r"amidst\[report\]"):
        load("x", "matplotlib.nothing_of_the_kind")


def test_only_the_analysis_of_a_network_loads_torch() -> None:
    code = "import sys, amidst.apps.cli.analyse; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

from __future__ import annotations

from pathlib import Path
from typing import Any


def test_a_page_in_the_run_folder_or_elsewhere(amidst: Any, run_folder: Path, tmp_path: Path) -> None:
    typed = amidst("report", run_folder)
    assert typed.code == 0, typed.err
    assert str(run_folder / "report.html") in typed.err
    output = tmp_path / "new" / "page.html"
    assert amidst("report", run_folder, "-o", output).code == 0
    assert output.read_text(encoding="utf-8").startswith("<!")


def test_no_run(amidst: Any, tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        typed = amidst("report", folder)
        assert typed.code == 2
        assert len(typed.err.splitlines()) == 1

"""Every page of the documentation: links hold, commands are commands of this version, code runs.

A block of code is tagged `bash` or `python` and is run, page by page, in a folder with the bundled sample
in it; or the line before it says why not: `<!-- not run: reason -->`. Other blocks are tagged `text` or with
their format.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import typer

from amidst.apps.cli.lazy import load
from amidst.apps.cli.root import MODULES
from amidst.data import sample_dir

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/**/*.md")])
RUN_BY_NAME = {"bash", "python"}
NOT_CODE = {"text", "json", "yaml", "csv", "css", "html"}
REASON = re.compile(r"<!-- not run: (.{10,}) -->")
FENCE = re.compile(r"^( *)```(\w*)\s*$")


@dataclass(frozen=True)
class Block:
    """line: of its fence, 1 first. reason: why it is not run, "" where it is."""

    page: Path
    line: int
    language: str
    text: str
    reason: str


def blocks(page: Path) -> list[Block]:
    found: list[Block] = []
    start, language, indent, reason = 0, "", 0, ""
    lines = page.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, 1):
        match = FENCE.match(line)
        if match and not start:
            start, indent, language = number, len(match[1]), match[2]
            before = [one for one in lines[max(0, number - 3) : number - 1] if one.strip()]
            given = REASON.fullmatch(before[-1].strip()) if before else None
            reason = given[1] if given else ""
        elif match and start:
            text = "\n".join(one[indent:] for one in lines[start : number - 1])
            found.append(Block(page, start, language, text, reason))
            start = 0
    assert not start, f"{page}:{start}: the block is not closed"
    return found


ALL = [block for page in PAGES for block in blocks(page)]


def name(value: object) -> str:
    if isinstance(value, Block):
        return f"{value.page.relative_to(ROOT)}:{value.line}"
    return str(value.relative_to(ROOT)) if isinstance(value, Path) else str(value)


def commands(text: str) -> list[list[str]]:
    """The words of each call of amidst in a block of shell; comments and what follows a pipe are left out."""
    found = []
    for line in text.replace("\\\n", " ").splitlines():
        for part in re.split(r"\s(?:&&|\||;|&)\s|\s(?:>|2>)\s?\S+", line.partition(" #")[0]):
            words = shlex.split(part.replace("...", ""))
            while words and ("=" in words[0] or words[0] in ("time", "nice")):
                words = words[1:]
            if words[:1] == ["amidst"]:
                found.append(words[1:])
            elif "-m" in words and words[words.index("-m") + 1 :][:1] == ["amidst"]:
                found.append(words[words.index("-m") + 2 :])
    return found


CALLS = [(block, words) for block in ALL if block.language == "bash" for words in commands(block.text)]


def test_there_is_something_to_check() -> None:
    assert len(PAGES) > 15
    assert len(CALLS) > 50


@pytest.mark.parametrize("block", ALL, ids=name)
def test_a_block_says_what_it_is(block: Block) -> None:
    assert block.language in RUN_BY_NAME | NOT_CODE, f"{name(block)}: tag it bash, python, text, json ..."


def check_call(words: list[str]) -> None:
    """Raises AssertionError where this version has no such command or option."""
    if not words or words[0].startswith("-"):
        return
    assert words[0] in MODULES, f"amidst {words[0]}: no such command"
    command = load(words[0], MODULES[words[0]])
    path, rest = f"amidst {words[0]}", words[1:]
    while isinstance(command, typer.core.TyperGroup) and rest and not rest[0].startswith("-"):
        try:
            found, command, rest = command.resolve_command(typer.Context(command), rest)
        except typer.TyperException as error:
            raise AssertionError(f"{path}: {error.format_message()}") from error
        path = f"{path} {found}"
    known = {
        option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)
    }
    for word in rest:
        option = word.partition("=")[0]
        if option.startswith("--") or (
            option.startswith("-") and len(option) == 2 and not option[1].isdigit()
        ):
            assert option in known | {"--help", "-h", "--verbose"}, f"{path}: no option {option}"


@pytest.mark.parametrize(("block", "words"), CALLS, ids=name)
def test_a_command_is_one_of_this_version(block: Block, words: list[str]) -> None:
    check_call(words)


def test_an_unknown_command_or_option_is_found() -> None:
    for words in (["detect"], ["dataset", "chek"], ["train", "smoke", "--epochs", "3"]):
        with pytest.raises(AssertionError):
            check_call(words)


LINK = re.compile(r"\]\(([^)#\s]+)(#[^)\s]*)?\)")


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    for match in LINK.finditer(page.read_text(encoding="utf-8")):
        target = match[1]
        if not target.startswith(("http://", "https://", "mailto:")):
            assert (page.parent / target).exists(), f"{name(page)}: {target}"


RUNNABLE = [page for page in PAGES if any(not b.reason and b.language in RUN_BY_NAME for b in blocks(page))]


@pytest.fixture(scope="session")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What pages take for granted: a dataset, photographs, a run, results."""
    folder = tmp_path_factory.mktemp("material")
    shutil.copytree(sample_dir(), folder / "sample")
    sample = folder / "sample"
    for split in ("train", "val"):
        (folder / f"{split}.json").symlink_to(sample / "annotations" / f"{split}.json")
    (folder / "images").symlink_to(sample / "images")
    (folder / "photos").mkdir()
    for photograph in sorted((sample / "images").iterdir())[:3]:
        shutil.copy(photograph, folder / "photos")
    shutil.copy(sorted((sample / "images").iterdir())[0], folder / "photo.jpg")
    train = ["train", "smoke", "--train", "train.json", "--val", "val.json", "--images", "images"]
    predict = ["predict", "person", "--ann", "val.json", "--images", "images", "-o", "results.json"]
    for words in ([*train, "--run", "runs/mine"], predict):
        subprocess.run(["amidst", *words], cwd=folder, env=environment(), check=True, capture_output=True)
    return folder


def environment() -> dict[str, str]:
    here = Path(sys.executable).parent
    return {**os.environ, "PATH": f"{here}{os.pathsep}{os.environ['PATH']}", "COLUMNS": "120"}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("page", RUNNABLE, ids=name)
def test_the_code_of_a_page_runs(page: Path, material: Path, tmp_path: Path) -> None:
    text = page.read_text(encoding="utf-8")
    shared = Path(os.environ.get("AMIDST_SHARED", ROOT.parent / "shared"))
    if "../shared" in text and not shared.is_dir():
        pytest.skip(f"real data not found at {shared}; set AMIDST_SHARED to the folder that holds data/")
    (tmp_path / "shared").symlink_to(shared)
    shutil.copytree(material, tmp_path / "work", symlinks=True)
    for block in blocks(page):
        if block.reason or block.language not in RUN_BY_NAME:
            continue
        command = [sys.executable, "-c"] if block.language == "python" else ["bash", "-euo", "pipefail", "-c"]
        done = subprocess.run(
            [*command, block.text],
            cwd=tmp_path / "work",
            env=environment(),
            capture_output=True,
            text=True,
            timeout=280,
        )
        assert done.returncode == 0, (
            f"{name(block)}\n{block.text}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        )


def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "mkdocs",
            "build",
            "--strict",
            "--quiet",
            "--site-dir",
            str(tmp_path / "site"),
        ],
        cwd=ROOT,
        env={**environment(), "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert (tmp_path / "site" / "index.html").is_file()

from __future__ import annotations

import resource
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import typer

import amidst as amidst_package
from amidst.apps.cli import lazy, root
from amidst.apps.cli.root import COMMANDS, MODULES
from amidst.errors import DataError, MissingExtra

ROOT = Path(__file__).resolve().parents[3]


def python(code: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run code in a fresh interpreter, with `words` as its arguments."""
    command = [sys.executable, "-W", "error", "-c", code, *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


IMPORTED = """
import sys
from amidst.apps.cli.root import run
code = run(sys.argv[1:])
print("IMPORTED", *sorted({name.partition(".")[0] for name in sys.modules}), file=sys.stderr)
sys.exit(code)
"""


def imported_by(*words: str) -> tuple[int, set[str]]:
    done = python(IMPORTED, *words)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, set(done.stderr.rpartition("IMPORTED ")[2].split())


def test_help_lists_every_command_without_heavy_imports() -> None:
    done = python(IMPORTED, "--help")
    assert done.returncode == 0
    for name in COMMANDS:
        assert name in done.stdout
    assert not {"torch", "numpy", "PIL", "matplotlib", "msgspec"} & set(done.stderr.split())


def test_help_is_fast() -> None:
    times = []
    for _ in range(3):  # processor time, which other work on the machine does not lengthen
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(
            [sys.executable, "-m", "amidst", "--help"], capture_output=True, check=True, timeout=60
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(times) < 0.5


def test_the_public_names_of_the_package() -> None:
    assert set(amidst_package.__all__) <= set(dir(amidst_package))
    assert all(getattr(amidst_package, name) is not None for name in amidst_package.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        amidst_package.nothing  # noqa: B018


def test_the_version_stands_once_in_the_sources() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == amidst_package.__version__


@pytest.mark.parametrize(
    "words", [("recipes",), ("recipes", "smoke"), ("evaluate", "--help"), ("dataset", "--help")]
)
def test_the_numpy_side_starts_without_torch(words: Sequence[str]) -> None:
    code, modules = imported_by(*words)
    assert code == 0
    assert not {"torch", "matplotlib", "safetensors"} & modules


def test_the_package_imports_without_torch() -> None:
    done = python("import sys, amidst; amidst.CocoDataset, amidst.evaluate; sys.exit('torch' in sys.modules)")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_loads_and_explains_itself(amidst: Any, name: str) -> None:
    typed = amidst(name, "--help")
    assert typed.code == 0
    assert f"amidst {name}" in typed.out
    assert typed.err == ""


def leaves(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Every command that does something, with the words that call it."""
    below = getattr(command, "commands", {})
    for name in below:
        _, one, _ = command.resolve_command(typer.Context(command), [name])
        yield from leaves(one, f"{path} {name}")
    if not below:
        yield path, command


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_shows_how_it_is_called(name: str) -> None:
    for path, command in leaves(lazy.load(name, MODULES[name]), name):
        assert f"amidst {path}" in (command.help or ""), f"amidst {path}: its help has no example"


def test_modules_of_commands_exist() -> None:
    assert all((Path(root.__file__).parent / f"{name}.py").is_file() for name in COMMANDS)
    assert set(MODULES) == set(COMMANDS)


def test_no_words_show_the_help(amidst: Any) -> None:
    typed = amidst()
    assert typed.code == 0
    assert "Commands" in typed.out


def test_version(amidst: Any) -> None:
    typed = amidst("--version")
    assert (typed.code, typed.err) == (0, "")
    assert typed.out.startswith("amidst ")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["predic"], "amidst: error: No such command 'predic'. Did you mean 'predict'?"),
        (["xyzzy"], "amidst: error: No such command 'xyzzy'."),
        (["dataset", "chek"], "amidst: error: No such command 'chek'. Did you mean 'check'?"),
        (["evaluate"], "amidst: error: Missing argument"),
        (["evaluate", "a", "b", "c"], "amidst: error: Got unexpected extra argument"),
        (["evaluate", "a", "b", "--kin", "bbox"], "amidst: error: No such option"),
        (["recipes", "smok"], "amidst: error: no recipe called 'smok'; did you mean 'smoke'?"),
    ],
)
def test_a_wrong_call_is_one_line_and_code_2(amidst: Any, words: list[str], message: str) -> None:
    typed = amidst(*words)
    assert typed.code == 2
    assert typed.out == ""
    assert typed.err.startswith(message)
    assert len(typed.err.splitlines()) == 1


def fake(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Make every command raise `error`."""
    app = typer.Typer(add_completion=False)

    @app.command()
    def command() -> None:
        raise error

    monkeypatch.setattr(lazy, "load", lambda name, module: typer.main.get_command(app))


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (DataError("two\nlines", file="a.json", rule="r"), 1, "amidst: error: a.json: two lines [r]\n"),
        (MissingExtra("torch", "train"), 2, "amidst: error: torch is not installed; install it with"),
        (
            PermissionError(13, "Permission denied", "/x"),
            2,
            "amidst: error: [Errno 13] Permission denied: '/x'\n",
        ),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_how_errors_end(
    amidst: Any, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, message: str
) -> None:
    fake(monkeypatch, error)
    typed = amidst("demo")
    assert typed.code == code
    assert typed.err.startswith(message)
    assert message or typed.err == ""


def test_a_defect_of_ours_is_not_hidden(amidst: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(monkeypatch, ZeroDivisionError("ours"))
    with pytest.raises(ZeroDivisionError):
        amidst("demo")


@pytest.mark.parametrize("words", [["--verbose", "demo"], ["demo", "--verbose"]])
def test_verbose_shows_where_an_error_comes_from(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    fake(monkeypatch, DataError("broken", rule="r"))
    assert root.run(words) == 1
    said = capsys.readouterr().err
    assert "Traceback" in said
    assert said.endswith("amidst: error: broken [r]\n")


def test_a_missing_package_names_its_extra(amidst: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str) -> None:
        raise ModuleNotFoundError("No module named 'torch'", name="torch._C")

    monkeypatch.setattr(lazy.importlib, "import_module", refuse)
    typed = amidst("train", "smoke")
    assert typed.code == 2
    assert (
        typed.err == "amidst: error: torch is not installed; install it with: pip install 'amidst[train]'\n"
    )

"""The plan of the house (docs/architecture.md), enforced on the sources."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parent.parent / "src" / "amidst"
FILES = sorted(SOURCE.rglob("*.py"))

# A room may import only rooms of its row's set (and itself).
NUMPY_WING = {"evaluation", "curation", "crowd", "leaderboard"}
ALLOWED: dict[str, set[str]] = {
    "errors": set(),
    "config": {"errors"},
    "data": {"errors"},
    "store": {"errors", "config"},
    "coco": {"errors", "config"},
    "evaluation": {"coco", "errors", "config"},
    "curation": {"coco", "evaluation", "errors", "config"},
    "crowd": {"store", "coco", "evaluation", "curation", "errors", "config"},
    "leaderboard": {"store", "coco", "evaluation", "errors", "config"},
    "ops": {"errors"},
    "models": {"ops", "errors", "config"},
    "training": {"models", "ops", "coco", "errors", "config"},
    "inference": {"training", "models", "ops", "coco", "errors", "config"},
    "recipes": {"training", "models", "errors", "config"},
}
TORCH_FREE = NUMPY_WING | {"store", "errors", "config", "data", "coco", "recipes"}
TORCH_FREE_FILES = {
    "models/config.py",
    "models/config_fpn_masks.py",
    "models/config_masks.py",
    "models/config_parts.py",
    "models/config_rcnn.py",
    "models/config_retinanet.py",
    "training/config.py",
    "__init__.py",
}
MAX_FILE_LINES, MAX_FUNCTION_LINES = 400, 60


def relative(path: Path) -> str:
    return path.relative_to(SOURCE).as_posix()


def room(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def imported(path: Path) -> list[str]:
    """Absolute dotted names that a file imports at run time."""
    names: list[str] = []

    def walk(node: ast.AST) -> None:
        for child in ast.iter_child_nodes(node):
            if is_type_checking(child):
                continue
            if isinstance(child, ast.Import):
                names.extend(alias.name for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                assert child.level == 0, f"{relative(path)}: relative import; write the whole name"
                names.extend(f"{child.module}.{alias.name}" for alias in child.names)
            walk(child)

    walk(tree(path))
    return names


def module_file(name: str) -> Path | None:
    """The source file behind a dotted amidst name (of a module or of a name inside one)."""
    parts = name.split(".")[1:]
    while parts:
        base = SOURCE.joinpath(*parts)
        for candidate in (base.with_suffix(".py"), base / "__init__.py"):
            if candidate.is_file():
                return candidate
        parts.pop()
    return None


def amidst_files(path: Path) -> set[Path]:
    """The files of this package that a file imports."""
    return {file for name in imported(path) if name.startswith("amidst") and (file := module_file(name))}


def test_there_is_something_to_check() -> None:
    assert len(FILES) > 30


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_a_floor_imports_only_floors_below(path: Path) -> None:
    own = room(path)
    if own in {"apps", "__init__", "__main__"}:
        return
    for name in imported(path):
        if name.split(".")[0] == "amidst":
            other = name.split(".")[1]
            assert other == own or other in ALLOWED[own], f"{relative(path)} imports {name}"


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_the_numpy_wing_never_imports_torch(path: Path) -> None:
    if room(path) in TORCH_FREE or relative(path) in TORCH_FREE_FILES:
        assert not [name for name in imported(path) if name.split(".")[0] in {"torch", "safetensors"}]


def test_no_import_cycle() -> None:
    graph = {path: amidst_files(path) - {path} for path in FILES}
    done: set[Path] = set()

    def visit(path: Path, trail: tuple[Path, ...]) -> None:
        assert path not in trail, "cycle: " + " -> ".join(map(relative, [*trail, path]))
        if path not in done:
            for target in graph.get(path, ()):
                visit(target, (*trail, path))
            done.add(path)

    for path in FILES:
        visit(path, ())


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_files_and_functions_stay_small(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_FILE_LINES
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or 0) - node.lineno + 1
            assert length <= MAX_FUNCTION_LINES, f"{relative(path)}:{node.lineno} {node.name}: {length} lines"


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_only_the_command_line_prints(path: Path) -> None:
    if not relative(path).startswith("apps/cli"):
        calls = [node for node in ast.walk(tree(path)) if isinstance(node, ast.Call)]
        assert not [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "print"]


# Import inside a function: a guarded optional extra in the one module that needs it, or the lazy root of the
# command line.
IMPORTS_IN_FUNCTIONS = {"apps/cli/root.py"}


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_imports_stand_at_the_top(path: Path) -> None:
    if relative(path) in IMPORTS_IN_FUNCTIONS:
        return
    guarded = 0
    for function in ast.walk(tree(path)):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            for node in ast.walk(function):
                if isinstance(node, ast.Import | ast.ImportFrom):
                    guarded += 1
    assert guarded <= 1, f"{relative(path)} imports inside functions {guarded} times"


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_no_utils(path: Path) -> None:
    names = set(Path(relative(path)).with_suffix("").parts)
    assert not {"utils", "util", "helpers", "misc", "common"} & names

"""What may be imported when, read from the sources themselves; and how long a page may be.

Who may import whom stands in `pyproject.toml` as contracts, which `make check` holds.
"""

from __future__ import annotations

import ast
import statistics
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

OPEN_TO_MIGRATION = {
    *("config", "errors", "paths", "atomic", "rng", "genome", "records", "runlog", "ancestry", "diversity"),
    *("moments", "arrayfile", "strict_json", "selection", "settings", "text", "checkpoint", "turns", "tasks.task"),
}

HEAVY = {
    "torch": (
        "evo/tasks/creatures/reference.py",
        "scripts/lab/parallel/worker.py",
        "scripts/lab/parallel/threads/work.py",
    ),
    "optuna": ("scripts/lab/parallel/arms/*optuna*.py",),
    "ray": ("scripts/lab/parallel/arms/*ray*.py",),
    "matplotlib": ("scripts/report/style.py",),
    "pygmo": ("scripts/lab/islands/peers/run.py",),
    "gymnasium": ("evo/tasks/gym.py",),
    "cuda": ("evo/tasks/creatures/cuda.py", "scripts/lab/gpu/emulated.py"),
}
"""Libraries that take long to import, and the places that need each."""


@dataclass(frozen=True)
class Import:
    """One import in a source file.

    Attributes:
        importer: The module it stands in.
        path: Its file, from the root.
        imported: The module it names.
        is_eager: It runs as soon as the importer is imported.
        is_type: It is there for the type checker alone.
    """

    importer: str
    path: str
    imported: str
    is_eager: bool
    is_type: bool

    def __str__(self) -> str:
        return f"{self.path} imports {self.imported}"


def sources() -> dict[str, Path]:
    """Return every module of the project by name."""
    files = [ROOT / "cli.py", *(path for top in ("evo", "migration", "scripts") for path in (ROOT / top).rglob("*.py"))]
    return {name_of(path): path for path in files if "__pycache__" not in path.parts}


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(["atoll", *(parts[:-1] if parts[-1] == "__init__" else parts)])


class Finder(ast.NodeVisitor):
    """Collects the imports of one module."""

    def __init__(self, module: str, path: Path, modules: set[str]) -> None:
        self.found: list[Import] = []
        self._module, self._path, self._modules = module, path, modules
        self._depth = self._types = 0

    def visit_If(self, node: ast.If) -> None:
        is_guard = "TYPE_CHECKING" in ast.unparse(node.test)
        self._types += is_guard
        for child in node.body:
            self.visit(child)
        self._types -= is_guard
        for child in node.orelse:
            self.visit(child)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._depth += 1
        self.generic_visit(node)
        self._depth -= 1

    visit_AsyncFunctionDef = visit_FunctionDef  # type: ignore[assignment]  # noqa: N815

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self._add(alias.name)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        base = node.module or ""
        if node.level:
            package = self._module.split(".") if self._path.name == "__init__.py" else self._module.split(".")[:-1]
            base = ".".join([*package[: len(package) - node.level + 1], *filter(None, [node.module])])
        for alias in node.names:
            inner = f"{base}.{alias.name}"
            self._add(inner if inner in self._modules else base)

    def _add(self, imported: str) -> None:
        path = str(self._path.relative_to(ROOT))
        is_eager = not self._depth and not self._types
        self.found.append(Import(self._module, path, imported, is_eager, is_type=self._types > 0))


def imports() -> list[Import]:
    """Return every import of the project."""
    modules = sources()
    found: list[Import] = []
    for module, path in modules.items():
        finder = Finder(module, path, set(modules))
        finder.visit(ast.parse(path.read_text(encoding="utf-8")))
        found += finder.found
    return found


MODULES = sources()
IMPORTS = imports()


def top(module: str) -> str:
    """Return the package of ours that a module is of (evo, migration, scripts, cli), or the library."""
    return module.removeprefix("atoll.").split(".", maxsplit=1)[0]


def of(*tops: str) -> list[Import]:
    return [each for each in IMPORTS if top(each.importer) in tops]


def run_on_import(module: str) -> set[str]:
    """Return every module, ours or not, that importing `module` imports at once."""
    eager: dict[str, set[str]] = {}
    for each in IMPORTS:
        if each.is_eager:
            eager.setdefault(each.importer, set()).add(each.imported)
    reached, waiting = set(), {module}
    while waiting:
        name = waiting.pop()
        parents = {name.rsplit(".", n)[0] for n in range(1, name.count(".") + 1)}
        reached.add(name)
        waiting |= (eager.get(name, set()) | parents) - reached
    return reached


def test_the_walk_sees_what_there_is():
    assert len(IMPORTS) > 200
    assert any(each.importer == "atoll.evo.recorder" and each.imported == "atoll.evo.checkpoint" for each in IMPORTS)
    assert any(each.is_type for each in IMPORTS)
    assert any(not each.is_eager and not each.is_type for each in IMPORTS)


def test_the_archipelago_uses_the_open_modules_of_the_core():
    used = [each for each in of("migration") if top(each.imported) == "evo"]
    allowed = {f"atoll.evo.{name}" for name in OPEN_TO_MIGRATION}
    assert [str(each) for each in used if each.imported not in allowed] == []


@pytest.mark.parametrize("library", HEAVY)
def test_a_heavy_library_is_imported_in_the_one_place_that_needs_it(library):
    strays = [
        str(each)
        for each in IMPORTS
        if top(each.imported) == library
        and not each.is_type
        and not any(fnmatch(each.path, pattern) for pattern in HEAVY[library])
    ]
    assert strays == []


@pytest.mark.parametrize(
    "module",
    [
        name
        for name in ("atoll.cli", "atoll.evo.island", "atoll.evo.tasks.loader", "atoll.scripts.run.island")
        if name in MODULES
    ],
)
def test_what_everyone_imports_imports_nothing_heavy(module):
    assert {top(name) for name in run_on_import(module)} & HEAVY.keys() == set()


def test_the_command_line_starts_without_numbers():
    """`--help` must not wait for a numeric library; each command imports what it needs."""
    assert {top(name) for name in run_on_import("atoll.cli")} & {"numpy", "safetensors", "psutil", "torch"} == set()


def test_packages_import_nothing_by_themselves():
    """An eager `__init__` makes the dependencies of one module those of all."""
    eager = [each for each in IMPORTS if each.is_eager and each.path.endswith("__init__.py")]
    assert [str(each) for each in eager if top(each.imported) in {"evo", "migration", "scripts", *HEAVY}] == []


def functions(path: Path) -> list[tuple[str, int]]:
    """Return each function of a file with its length, the docstring left out."""
    lengths = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0]
            has_docstring = ast.get_docstring(node, clean=False) is not None
            docstring = first.end_lineno - first.lineno + 1 if has_docstring else 0
            lengths.append((f"{path.relative_to(ROOT)}: {node.name}", node.end_lineno - node.lineno + 1 - docstring))
    return lengths


def test_no_file_is_long():
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in MODULES.values()}
    assert {name: n for name, n in lengths.items() if n > 600} == {}


def test_no_function_is_long_and_most_are_short():
    lengths = [each for path in MODULES.values() for each in functions(path)]
    assert [each for each in lengths if each[1] > 60] == []
    assert statistics.median(n for _, n in lengths) <= 12

"""The rooms of the house: what imports what, in which order, and what stands at the door.

Floors and rooms from the ground up, as in docs/design.md. Every import counts, also those inside
functions and those for type checkers only.
"""

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import networkx as nx
import pytest

ROOT = Path(__file__).resolve().parents[1]
FLOORS = ("ecosystem", "calibration", "experiments")
ORDER: tuple[tuple[str, ...], ...] = (
    ("ecosystem.maths",),
    ("ecosystem.inputs",),
    ("ecosystem.state",),
    ("ecosystem.extend",),
    ("ecosystem.stages",),
    ("ecosystem.quarter",),
    ("ecosystem.outcomes",),
    ("ecosystem.runs",),
    ("ecosystem.mesa",),
    ("ecosystem",),
    ("calibration",),
    ("experiments.comparison", "experiments.sensitivity_analysis"),
    ("experiments.report",),
    ("experiments",),
    ("experiments.command",),
)
"""Rooms from the ground up. What stands in no room of its floor is its public face."""
USERS = ("docs", "benchmarks", "notebooks", "tests")
"""What uses the house; nothing in it may use them."""
WAIT = {
    "experiments/command/cli.py": "help and completion answer before NumPy is loaded",
    "experiments/command/request.py": "help answers before the schedule, hence Numba, is loaded",
    "ecosystem/inputs/options.py": "of which help is made, so that a table of draws can wait",
    "experiments/report/sensitivity_figures.py": "a comparison starts without seaborn",
    "experiments/sensitivity_analysis/salib_study.py": "a comparison starts without SALib",
    "experiments/sensitivity_analysis/study.py": "a comparison starts without scipy.stats",
}
"""Files that import inside functions, and why."""
FACES = {
    "ecosystem": (
        *("EcosystemModel", "InputError", "Scenario", "cross", "past", "read_frames"),
        *("read_past", "run_design", "simulate"),
    ),
    "experiments": ("compare", "decompose", "sensitivity"),
}


class Import(NamedTuple):
    """An import of a module of this project, and where it stands."""

    file: str
    line: int
    module: str
    function: str


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def files() -> dict[str, Path]:
    """Return the files of the floors by module."""
    return {module_of(path): path for name in FLOORS for path in (ROOT / name).rglob("*.py")}


def names_in(node: ast.AST, home: str) -> list[str]:
    """Return the modules, or names in modules, that an import statement of a package asks for."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not isinstance(node, ast.ImportFrom):
        return []
    parents = home.split(".")[: len(home.split(".")) - node.level + 1] if node.level else []
    base = ".".join([*parents, *([node.module] if node.module else [])])
    return [f"{base}.{alias.name}" for alias in node.names]


def statements(node: ast.AST, function: str = "") -> Iterator[tuple[ast.AST, str]]:
    """Yield everything below a node with the function in which it stands."""
    for child in ast.iter_child_nodes(node):
        yield child, function
        inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        yield from statements(child, getattr(child, "name", "lambda") if inside else function)


def imports_of(path: Path) -> Iterator[Import]:
    """Yield every import of a file, of whatever package."""
    module = module_of(path)
    home = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node, function in statements(ast.parse(path.read_text(encoding="utf-8"))):
        for name in names_in(node, home):
            place = str(path.relative_to(ROOT))
            yield Import(place, getattr(node, "lineno", 0), name, function)


@cache
def edges() -> list[tuple[str, str, Import]]:
    """Return (module, imported module, where) for imports inside the house."""
    found = []
    for module, path in files().items():
        for one in imports_of(path):
            target = one.module if one.module in files() else one.module.rpartition(".")[0]
            if target in files() and target != module:
                found.append((module, target, one))
    return found


def rank(module: str) -> int:
    """Return the room of a module, counted from the ground; the longest name that fits wins."""
    fitting = [
        (len(room), place)
        for place, rooms in enumerate(ORDER)
        for room in rooms
        if f"{module}.".startswith(f"{room}.")
    ]
    return max(fitting)[1]


def listed(lines: Iterable[str]) -> str:
    """Return findings one a line, fit to be read."""
    return "\n".join(["", *sorted(lines)])


def test_no_files_import_each_other_in_a_circle() -> None:
    graph = nx.DiGraph((module, target) for module, target, _ in edges())
    circles = []
    for knot in nx.strongly_connected_components(graph):
        if len(knot) > 1:
            circle = nx.find_cycle(graph.subgraph(knot))
            circles.append(" → ".join([circle[0][0], *(target for _, target in circle)]))
    assert not circles, listed(circles)


def test_nothing_imports_upward() -> None:
    upward = {
        f"{one.file}:{one.line} imports {target}, which stands higher"
        for module, target, one in edges()
        if rank(target) > rank(module)
    }
    assert not upward, listed(upward)


def test_the_house_does_not_know_who_uses_it() -> None:
    found = [
        f"{one.file}:{one.line} imports {one.module}"
        for path in files().values()
        for one in imports_of(path)
        if one.module.split(".")[0] in USERS
    ]
    assert not found, listed(found)


def test_imports_stand_at_the_top_of_a_file() -> None:
    places = [path for name in (*FLOORS, "docs") for path in (ROOT / name).rglob("*.py")]
    inside = {
        f"{one.file}:{one.line} imports {one.module.split('.')[0]} inside {one.function}()"
        for path in places
        for one in imports_of(path)
        if one.function and one.file not in WAIT
    }
    assert not inside, listed(inside)
    assert all((ROOT / name).exists() for name in WAIT)


def loaded_by(statement: str, cwd: Path) -> set[str]:
    """Return the modules that are loaded after a statement in a new interpreter."""
    code = f"import json, sys\n{statement}\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(json.loads(done.stdout))


@pytest.mark.parametrize("package", FACES)
def test_faces_are_light(package: str, tmp_path: Path) -> None:
    heavy = {"numpy", "pandas", "pydantic", "mesa", "matplotlib", "scipy", "xarray", "SALib"}
    assert heavy.isdisjoint(loaded_by(f"import {package}", tmp_path))


@pytest.mark.parametrize("package", FACES)
def test_faces_offer_what_was_promised(package: str) -> None:
    face = import_module(package)
    assert set(FACES[package]) <= set(face.__all__)
    for name in face.__all__:
        assert callable(getattr(face, name))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = face.nothing


def test_heavy_libraries_wait_until_they_are_needed(tmp_path: Path) -> None:
    """To run scenarios takes neither pictures nor Mesa."""
    loaded = loaded_by("from ecosystem import simulate", tmp_path)
    assert {"mesa", "seaborn", "matplotlib", "SALib"}.isdisjoint(loaded)
    compares = loaded_by("from experiments import compare; compare", tmp_path)
    assert {"seaborn", "SALib", "scipy.stats"}.isdisjoint(compares)

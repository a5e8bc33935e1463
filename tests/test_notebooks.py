"""The notebooks: they run from top to bottom, solutions included, and teach what they say."""

import ast
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PUBLIC = {
    "ecosystem": {"EcosystemModel", "Scenario", "simulate"},
    "experiments": {"compare"},
    "matplotlib.pyplot": {"*"},
    "seaborn": {"*"},
    "ipywidgets": {"*"},
    "warnings": {"*"},
}
"""What a notebook may import: what the project offers to users, and what draws."""


def cells(path: Path) -> list[dict[str, Any]]:
    """Return the cells of a notebook: id, type and source (its lines joined)."""
    found = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [cell | {"source": "".join(cell["source"])} for cell in found]


def code_cells(path: Path) -> list[dict[str, Any]]:
    return [cell for cell in cells(path) if cell["cell_type"] == "code"]


def nodes(path: Path) -> Iterator[ast.AST]:
    for cell in code_cells(path):
        yield from ast.walk(ast.parse(cell["source"]))


def test_there_are_notebooks() -> None:
    assert NOTEBOOKS


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request: pytest.FixtureRequest) -> Path:
    return Path(request.param)


def test_file_is_clean(notebook: Path) -> None:
    """Kernel named, cells with stable ids, nothing stored of a run."""
    content = json.loads(notebook.read_text(encoding="utf-8"))
    assert content["metadata"]["kernelspec"]["name"] == "python3"
    ids = [cell["id"] for cell in content["cells"]]
    assert len(set(ids)) == len(ids)
    assert all(name.replace("-", "").isalpha() for name in ids), "ids are words, not chance"
    for cell in code_cells(notebook):
        assert cell["outputs"] == []
        assert cell["execution_count"] is None


def test_first_code_cell_makes_warnings_errors(notebook: Path) -> None:
    assert 'warnings.simplefilter("error")' in code_cells(notebook)[0]["source"]


def test_only_the_public_interface_is_used(notebook: Path) -> None:
    for node in nodes(notebook):
        if isinstance(node, ast.Import):
            assert {name.name for name in node.names} <= set(PUBLIC)
        if isinstance(node, ast.ImportFrom):
            assert {name.name for name in node.names} <= PUBLIC[str(node.module)]


def test_no_worker_processes_are_needed(notebook: Path) -> None:
    """Spawned workers cannot import functions of a notebook, and need seconds to start."""
    calls = [
        {word.arg: word.value for word in node.keywords}
        for node in nodes(notebook)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in {"simulate", "compare"}
    ]
    assert calls
    for words in calls:
        assert ast.literal_eval(words["jobs"]) == 1
        assert ast.literal_eval(words["world"]) == "teaching"


def test_every_picture_says_that_it_is_of_the_teaching_world(notebook: Path) -> None:
    """Pictures come from one helper that writes the note, or from a comparison, which has it."""
    helpers = [
        node
        for node in nodes(notebook)
        if isinstance(node, ast.FunctionDef) and "plt.subplots" in ast.unparse(node)
    ]
    assert [helper.name for helper in helpers] == ["new_axes"]
    assert "NOTE" in ast.unparse(helpers[0])
    assert sum("plt.subplots" in cell["source"] for cell in code_cells(notebook)) == 1


def test_exercises_have_solutions(notebook: Path) -> None:
    words = "\n".join(cell["source"] for cell in cells(notebook))
    exercises = words.count("**Predict.**")
    assert exercises >= 3
    assert words.count("**Explain.**") == exercises
    assert words.count("<summary>Solution</summary>") == exercises
    solutions = [cell for cell in code_cells(notebook) if cell["id"].endswith("-solution")]
    assert len(solutions) == exercises
    assert all("assert " in cell["source"] for cell in solutions)


@pytest.mark.slow
def test_notebook_runs_offline(notebook: Path, tmp_path: Path) -> None:
    nbformat = pytest.importorskip("nbformat")  # slow to import, and only needed here
    nbclient = pytest.importorskip("nbclient")
    content = nbformat.read(notebook, as_version=4)
    nbformat.validate(content)
    content.cells.insert(0, nbformat.v4.new_code_cell(BLOCK_NETWORK))
    client = nbclient.NotebookClient(
        content,
        kernel_name="python3",
        resources={"metadata": {"path": str(tmp_path)}},
    )
    client.execute(env=os.environ | {"PYTHONPATH": str(ROOT)})
    shown = [output for cell in content.cells for output in cell.get("outputs", [])]
    errors = [output for output in shown if output.output_type == "stream"]
    assert [output.text for output in errors if output.name == "stderr"] == []
    pictures = [output for output in shown if "image/png" in output.get("data", {})]
    assert len(pictures) >= 5
    assert any(
        "application/vnd.jupyter.widget-view+json" in output.get("data", {}) for output in shown
    )


BLOCK_NETWORK = """
import socket

def refuse(self, address, *rest):
    if self.family != socket.AF_UNIX and address[0] not in ("127.0.0.1", "::1", "localhost"):
        raise OSError(f"the notebook asks for {address}")
    return connect(self, address, *rest)

connect = socket.socket.connect
socket.socket.connect = refuse
"""

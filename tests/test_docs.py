"""The documentation: what it names exists, what it tells to run does run."""

import ast
import os
import re
import subprocess
import sys
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

import pytest
from markupsafe import Markup

from docs.make import __main__ as command
from docs.make.pages import DOCS, cell, pages
from ecosystem.inputs import catalogue

ROOT = Path(__file__).resolve().parents[1]
READMES = ("README.md", "CONTRIBUTING.md", "benchmarks/README.md", "calibration/README.md")
PAGES = sorted([*(ROOT / name for name in READMES), *(ROOT / "docs").glob("*.md")])
MODEL = ROOT / "docs" / "model.md"
BASES = ("", "ecosystem")
"""Folders from which places are named."""


WRITTEN_BY_RUNS = {
    "runs/", "draws.csv", "failed.csv", "chunks/", "figures/", "sensitivity.csv",
    "sensitivity_by_year.csv", "pairs.csv", "factors.csv", "packages.csv", "regret.csv",
    "beats.csv", "comparison.csv",
    "regret_under_shocks.csv", "design.parquet", "points.parquet", "plan.json", "manifest.json",
}  # fmt: skip


def find(name: str) -> Path | None:
    """Return the file of this project that a page names, from the root or from ecosystem/."""
    return next((ROOT / base / name for base in BASES if (ROOT / base / name).exists()), None)


@cache
def names_in(path: Path) -> frozenset[str]:
    """Return functions, classes, methods and constants at the top of a file."""
    found = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}.{x.name}" for x in node.body if isinstance(x, ast.FunctionDef)}
        if isinstance(node, ast.Assign):
            found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return frozenset(found)


@pytest.fixture(params=PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def page(request: pytest.FixtureRequest) -> Path:
    return Path(request.param)


def test_every_place_exists(page: Path) -> None:
    places = re.findall(r"`([\w./]+\.py):([\w.]+)`", page.read_text(encoding="utf-8"))
    wrong = [
        f"{file}:{name}"
        for file, name in places
        if (path := find(file)) is None or name not in names_in(path)
    ]
    assert wrong == []
    assert places or page != MODEL


def test_every_file_and_link_exists(page: Path) -> None:
    words = page.read_text(encoding="utf-8")
    named = re.findall(r"`([\w./-]+/|[\w./-]+\.(?:py|csv|md|toml|ipynb))`", words)
    missing = [
        name
        for name in named
        if find(name) is None
        and not (page.parent / name).exists()
        and name not in WRITTEN_BY_RUNS
        and ("/" in name or not any(ROOT.glob(f"*/**/{name}")))
    ]
    assert missing == []
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", words)
    assert [link for link in links if not (page.parent / link).exists()] == []


def model_patterns() -> set[str]:
    """Return what the page about the model names in the way parameters are named."""
    words = MODEL.read_text(encoding="utf-8")
    return set(re.findall(r"`([a-z][a-z0-9_]*\*?)`", words))


def test_parameters_of_the_model_page_exist() -> None:
    known = [*catalogue.parameters(), *catalogue.instruments(), *catalogue.shocks()]
    unknown = [
        pattern
        for pattern in sorted(model_patterns())
        if not any(fnmatch(name, pattern) for name in known)
    ]
    assert unknown == []


def test_model_page_names_every_parameter() -> None:
    patterns = model_patterns()
    missing = [
        name
        for name in catalogue.parameters()
        if not any(fnmatch(name, pattern) for pattern in patterns)
    ]
    assert missing == []


def test_model_page_names_every_instrument_and_shock() -> None:
    names = {*catalogue.instruments(), *catalogue.shocks()}
    assert names <= model_patterns()


def test_pages_made_from_tables_are_up_to_date() -> None:
    stale = [
        name for name, text in pages().items() if (DOCS / name).read_text(encoding="utf-8") != text
    ]
    assert not stale, "run python -m docs.make"


def test_docs_make_writes_what_is_stale_and_only_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "DOCS", tmp_path)
    monkeypatch.setattr(command, "pages", lambda: {"a.md": "words"})
    assert command.main(["--check"]) == 1 and not (tmp_path / "a.md").exists()
    assert "docs/a.md does not fit" in capsys.readouterr().out
    assert command.main([]) == 0 and (tmp_path / "a.md").read_text() == "words"
    assert command.main(["--check"]) == 0
    capsys.readouterr()
    assert command.main([]) == 0 and capsys.readouterr().out == ""


def test_a_value_breaks_no_table() -> None:
    assert cell("all|shells\n") == r"all\|shells "
    assert cell(Markup("| a |\n")) == "| a |\n"


def test_readme_is_a_page_with_a_place_for_results() -> None:
    words = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(words.split()) < 1200
    assert 0 < words.index("<!-- results:start -->") < words.index("<!-- results:end -->")


@pytest.mark.slow
def test_python_of_the_readme_runs(tmp_path: Path) -> None:
    """Word for word, but for fewer replicates."""
    words = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", words, flags=re.MULTILINE | re.DOTALL)
    assert len(blocks) == 1
    code, changes = re.subn(r"replicates=\d+", "replicates=2, jobs=1", blocks[0])
    assert changes == 1
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-W", "error", "-c", code]
    subprocess.run(command, cwd=tmp_path, env=environment, check=True)
    assert {path.suffix for path in tmp_path.iterdir()} >= {".png", ".csv", ".txt"}

"""The project as a whole: what is committed and what is built."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

import pytest
from hatchling import build

ROOT = Path(__file__).resolve().parents[1]
FLOORS = ("ecosystem", "calibration", "experiments")
"""Packages that are built into the wheel."""
OUTSIDE = {"__pycache__", "build", "dist", ".git"}
FORBIDDEN = (
    "/" + "work/",
    "/" + "tmp/",
    "/" + "root/",
    "/" + "home/",
    "/" + "opt/",
    "share" + "d/",
    "pypi" + ".org",
    "python" + "hosted",
    "registry" + ".npmjs",
    "index" + "-url",
)


def project_files() -> Iterator[Path]:
    """Yield the files that belong to the project, and not caches, environments or results."""
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [
            name
            for name in folders
            if name not in OUTSIDE
            and Path(folder, name) != ROOT / "runs"
            and (name == ".ci" or not name.startswith("."))
        ]
        yield from (
            Path(folder) / name
            for name in names
            if not name.endswith(".pyc") and name not in OUTSIDE
        )


def python_files() -> list[Path]:
    return sorted(path for path in project_files() if path.suffix == ".py")


def test_no_file_names_this_machine_or_a_registry() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {word}"
        for path in project_files()
        if path.suffix not in {".png", ".parquet"}
        for word in FORBIDDEN
        if word in path.read_text(encoding="utf-8")
    ]
    assert found == []


def test_no_python_file_is_long() -> None:
    long = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines())
        for path in python_files()
    }
    assert {name: lines for name, lines in long.items() if lines >= 450} == {}


def run_python(code: str, cwd: Path, path: Path) -> str:
    """Run code in a new interpreter that finds this project in ``path`` only; return stdout."""
    environment = os.environ | {"PYTHONPATH": str(path)}
    command = [sys.executable, "-P", "-c", code]
    done = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel of this checkout and return the folder into which it was unpacked."""
    folder = tmp_path_factory.mktemp("wheel")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        name = build.build_wheel(str(folder))
    with ZipFile(folder / name) as archive:
        archive.extractall(folder / "unpacked")
    return folder / "unpacked"


def test_wheel_holds_every_file_of_the_packages(wheel: Path) -> None:
    inside = {str(path.relative_to(ROOT)) for path in project_files()}
    expected = {name for name in inside if name.split(os.sep)[0] in FLOORS}
    built = {str(path.relative_to(wheel)) for path in wheel.rglob("*") if path.is_file()}
    assert {name for name in built if name.split(os.sep)[0] in FLOORS} == expected
    assert any(name.endswith(".csv") for name in expected)


def test_tables_are_read_from_the_wheel(wheel: Path, tmp_path: Path) -> None:
    code = """
import calibration.targets, ecosystem.inputs.catalogue
print(calibration.targets.__file__)
print(len(calibration.targets.load_targets()), len(ecosystem.inputs.catalogue.instruments()))
"""
    module, counts = run_python(code, tmp_path, wheel).splitlines()
    assert Path(module).is_relative_to(wheel)
    assert all(int(count) > 0 for count in counts.split())


def test_readme_gives_the_two_commands() -> None:
    """`.ci/run` runs the second one word for word, so there must be exactly one of each."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = re.findall(r"^python3 -m venv \.venv && .*$", readme, flags=re.MULTILINE)
    assert len(commands) == 2
    assert commands[0].endswith(".venv/bin/ecosystem compare")
    assert commands[1].endswith(".venv/bin/python -m pytest -n 2 --dist loadfile")
    assert len(re.findall("-m pytest", readme)) == 1

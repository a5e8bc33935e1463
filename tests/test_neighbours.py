"""A user's own file that has the name of a package is said to be in the way."""

import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).parents[1]


@pytest.mark.parametrize(
    "name", ["calibration/__init__.py", "ecosystem/__init__.py", "ecosystem.py"]
)
def test_a_file_in_the_way_is_named(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.touch()
    script = tmp_path / "script.py"
    script.write_text(
        f"import sys; sys.path[:0] = [{str(tmp_path)!r}, {str(TOP)!r}]\n"
        "from experiments import compare\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, cwd=tmp_path)
    last = done.stderr.splitlines()[-1]
    assert done.returncode == 1 and last.startswith(f"ImportError: {file.resolve()} is in the way")


def test_a_folder_that_is_no_package_is_not_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "calibration").mkdir()
    words = f"import sys; sys.path[:0] = [{str(tmp_path)!r}, {str(TOP)!r}]; import experiments"
    subprocess.run([sys.executable, "-c", words], check=True, cwd=tmp_path)

"""Running again: what is compared, what is listed, and a user's own functions found or not."""

import importlib
import json
import shutil
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import ensemble_models as models
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from ensemble_runs import chunks, own
from typer.testing import CliRunner

from calibration.simulated import watched
from ecosystem import Scenario, cross, run_design
from ecosystem.inputs.draws import draw_parameters
from ecosystem.inputs.faults import InputError
from ecosystem.maths.chance import Chance
from ecosystem.runs import identity
from ecosystem.runs.again import reasons
from ecosystem.runs.identity import digest
from ecosystem.runs.question import model_home
from ecosystem.runs.store import read_chunk
from ecosystem.runs.table import encoded
from experiments.command.cli import app
from experiments.command.reproduce import reproduce, unlike

SMALL = ["--world", "teaching", "--replicates", "3", "--until", "2025Q4", "--jobs", "1"]


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str, str]]:
    """Return a function that gives a command: exit code, standard output and standard error."""

    def command(*words: Any) -> tuple[int, str, str]:
        given = [str(word) for word in words]
        monkeypatch.setattr(sys, "argv", ["ecosystem", *given])
        result = CliRunner().invoke(app, given, env={"COLUMNS": "200"})
        assert isinstance(result.exception, SystemExit | None), result.exception
        return result.exit_code, result.stdout, result.stderr

    return command


def filled(out: Path) -> Path:
    """Run a design with everything that a question must spell out, and return its directory."""
    scenario = Scenario(
        "article", shocks=[{"name": "ai_winter", "amplitude": 0.25}], parameters={"loan_share": 0.5}
    )
    design = cross(["history", scenario], points={"hype": [0.1, 0.4]}, replicates=2, luck=[3, 5])
    runs = run_design(
        design, world="teaching", until="2020Q4", outcomes=["patents", "servers"], seed=7,
        keep=("yearly", "end"), executor="serial", chunk_runs=3, out=out,
    ).complete()  # fmt: skip
    assert runs.directory is not None
    return runs.directory


def own_directory(out: Path, model: Any = models.fails_at_seven) -> Path:
    directory = own(out, model).complete().directory
    assert directory is not None
    return directory


def test_a_folder_of_run_directories_names_one_in_it(tmp_path: Path) -> None:
    (tmp_path / "478ec").mkdir()
    (tmp_path / "478ec" / "plan.json").write_text("{}", encoding="utf-8")
    with pytest.raises(InputError, match="did you mean .*478ec$") as error:
        reproduce(tmp_path)
    assert "FileNotFound" not in str(error.value)


def change_chunk(directory: Path, factor: float) -> None:
    """Write a chunk, and the manifest, as if a value had come out differently."""
    path = directory / "chunks" / chunks(directory)[0]
    table = read_chunk(path)
    column = table.column("patents").to_numpy().copy()
    column[np.argmax(column)] *= factor
    table = table.set_column(table.column_names.index("patents"), "patents", pa.array(column))
    content = encoded(table)
    path.unlink()
    other = path.with_name(f"{path.name[:19]}{digest(content)[:16]}.parquet")
    other.write_bytes(content)
    manifest = json.loads((directory / "manifest.json").read_text("utf-8"))
    del manifest["files"][f"chunks/{path.name}"]
    manifest["files"][f"chunks/{other.name}"] = digest(content)
    (directory / "manifest.json").write_text(json.dumps(manifest), "utf-8")


@pytest.mark.slow
def test_a_design_gives_the_same_values_and_differences_are_counted_and_listed(
    tmp_path: Path, call: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = filled(tmp_path)
    code, answer, _ = call("reproduce", directory, "--jobs", "1", "--quiet")
    assert code == 0 and "64 values compared: 64 the same to the last bit" in answer
    code, answer, _ = call("reproduce", directory, "--run", "5", "--jobs", "1", "--quiet")
    assert code == 0 and "8 values compared: 8 the same" in answer
    change_chunk(directory, 1 + 1e-12)
    found = reproduce(directory, jobs=1)
    assert found.equal and (found.same, found.close) == (63, 1)
    change_chunk(directory, 1.5)
    found = reproduce(directory, jobs=1)
    assert not found.equal and len(found.table()) == 1 and "as they were then" in found.text()
    other = dict(identity.versions(), numpy="9.9")
    monkeypatch.setattr("ecosystem.runs.again.versions", lambda: other)
    code, answer, _ = call("reproduce", directory, "--jobs", "1", "--quiet")
    assert code == 1 and "1 further off (in 1 run)" in answer
    assert "numpy: " in answer and "→ 9.9" in answer and "as they were then" not in answer
    with pytest.raises(InputError, match="--run: 8 .* the number of a run that is there"):
        reproduce(directory, run=8)


def test_files_are_checked_and_what_is_missing_is_said(tmp_path: Path, call: Any) -> None:
    directory = own_directory(tmp_path)
    listed = json.loads((directory / "manifest.json").read_text("utf-8"))["files"]
    found = reproduce(directory, jobs=1)
    assert found.equal and found.files == len(listed) and found.finished
    assert f"{len(listed)} files checked" in found.text()
    assert "run 7 fails as it did: ValueError: seven is not for me" in found.text()
    table = directory / "failed.csv"
    table.write_bytes(table.read_bytes().replace(b"seven", b"eight"))
    code, answer, _ = call("reproduce", directory, "--jobs", "1", "--quiet")
    assert code == 1 and "failed.csv: missing, or not" in answer and "0 further off" in answer
    code, answer, _ = call("reproduce", directory, "--jobs", "1", "--quiet", "--lang", "zh")
    assert code == 1 and "failed.csv：缺失" in answer
    assert reproduce(directory, run=3, jobs=1).equal  # a single run alone
    name = chunks(directory)[1]
    (directory / "chunks" / name).unlink()
    assert f"chunks/{name}" in reproduce(directory, jobs=1).altered
    (directory / "manifest.json").unlink()  # as if the run had not been finished
    found = reproduce(directory, jobs=1)
    assert found.equal and found.values == 8 and "not finished" in found.text()
    shutil.rmtree(directory / "chunks")
    with pytest.raises(InputError, match="a run directory with chunks"):
        reproduce(directory, jobs=1)
    (directory / "plan.json").write_text("{", "utf-8")
    assert call("reproduce", directory, "--quiet")[0] == 2


@pytest.mark.parametrize("record", ["plan.json", "manifest.json"])
def test_versions_at_the_beginning_and_at_the_end_are_reasons(tmp_path: Path, record: str) -> None:
    directory = own_directory(tmp_path, models.two_outcomes)
    assert reasons(directory) == {} and "SALib" in identity.versions()
    content = json.loads((directory / record).read_text("utf-8"))
    content["versions"]["SALib"] = "0.1"
    (directory / record).write_text(json.dumps(content), "utf-8")
    assert reasons(directory) == {"SALib": ("0.1", identity.versions()["SALib"])}


CODE = """
from helper_of_a_user import FACTOR

def plain(runs):
    if (runs.index == 3).any():
        raise ValueError("three is not for me")
    with open({data!r}) as file:
        return FACTOR * float(file.read()) * runs["x1"].to_numpy()

class Kind:
    @staticmethod
    def static(runs):
        return plain(runs)
"""


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that writes files of a user; modules are read anew afterwards."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)

    def files(**contents: str) -> None:
        for name, content in contents.items():
            path = tmp_path / (f"{name}_of_a_user.py" if name != "data" else "data.txt")
            path.write_text(content, "utf-8")
        for name in ("helper_of_a_user", "model_of_a_user"):
            sys.modules.pop(name, None)
        importlib.invalidate_caches()

    files(model=CODE.format(data=str(tmp_path / "data.txt")), helper="FACTOR = 2", data="1.0")
    return files


def users(name: str = "plain") -> Any:
    found: Any = importlib.import_module("model_of_a_user")
    for part in name.split("."):
        found = getattr(found, part)
    return found


@pytest.mark.parametrize("name", ["plain", "Kind.static"])
def test_the_command_of_a_failed_run_repeats_it(
    name: str, write: Any, call: Any, tmp_path: Path
) -> None:
    directory = own_directory(tmp_path / "out", users(name))
    command = pd.read_csv(directory / "failed.csv")["command"][0].split()
    assert command == ["ecosystem", "reproduce", str(directory), "--run", "3"]
    code, answer, _ = call(*command[1:], "--quiet")
    assert code == 0 and "run 3 fails as it did: ValueError: three is not for me" in answer


def test_what_a_function_reads_is_part_of_its_runs(write: Any, call: Any, tmp_path: Path) -> None:
    """A module that it imports: another directory; a file that it opens: refused; both said."""
    out = tmp_path / "out"
    directory = own_directory(out, users())
    assert own(out, users()).complete().directory == directory
    assert reasons(directory) == {}
    write(helper="FACTOR = 10")
    code, answer, _ = call("reproduce", directory, "--jobs", "1", "--quiet")
    assert code == 1 and "as they were then" not in answer and "10 further off" in answer
    assert f"  {tmp_path / 'helper_of_a_user.py'}: " in answer
    other = own_directory(out, users())
    assert other != directory
    write(helper="FACTOR = 2", data="3.0")
    with pytest.raises(InputError, match="data.txt: 'changed' .* another folder"):
        own(out, users()).complete()
    assert own_directory(tmp_path / "anew", users()).name == directory.name
    code, answer, _ = call("reproduce", directory, "--jobs", "1", "--quiet")
    assert code == 1 and f"  {tmp_path / 'data.txt'}: " in answer


def test_a_module_that_has_changed_since_it_was_loaded_is_not_stored(
    write: Any, tmp_path: Path
) -> None:
    own_directory(tmp_path / "out", users())
    (tmp_path / "helper_of_a_user.py").write_text("FACTOR = 10", "utf-8")
    with pytest.raises(InputError, match="helper_of_a_user.py.*has changed since; start Python"):
        own(tmp_path / "out", users())


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("def plain(runs:\n    return 1\n", "SyntaxError: "),
        ("plain = 1 / 0\n", "ZeroDivisionError: division by zero"),
        ("raise SystemExit(7)\n", "SystemExit: 7"),
        ("import no_such_module\n", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("other = 1\n", "has no attribute 'plain'"),
        ("plain = 1\n", "it is no function"),
    ],
)
def test_a_file_that_cannot_be_run_any_more_is_one_clear_error(
    code: str, words: str, write: Any, call: Any, tmp_path: Path
) -> None:
    directory = own_directory(tmp_path / "out", users())
    write(model=code)
    exit_code, answer, said = call("reproduce", directory, "--quiet")
    assert (exit_code, answer) == (2, "") and said.startswith("error: model: ")
    assert len(said.splitlines()) == 1 and words in said


def closure() -> Any:
    def inner(runs: pd.DataFrame) -> Any:
        return runs["x1"]

    return inner


class Kind:
    def method(self, runs: pd.DataFrame) -> Any:
        return runs["x1"]

    __call__ = method


@pytest.mark.parametrize("model", [closure(), lambda runs: runs["x1"], Kind(), Kind().method])
def test_what_no_other_process_can_load_runs_but_is_not_stored(model: Any, tmp_path: Path) -> None:
    assert len(own(None, model).frame()) == 12
    with pytest.raises(InputError, match="out: .*a function that stands under its name in a file"):
        own(tmp_path, model)
    assert not list(tmp_path.iterdir())


def test_a_partial_of_plain_values_is_known_by_them() -> None:
    homes = [model_home(partial(watched, world="full", seed=seed)) for seed in (1, 1, 2)]
    assert homes[0] == homes[1] != homes[2]
    assert homes[0] == 'calibration.simulated:watched {"seed": 1, "world": "full"}'
    assert model_home(partial(watched, world=object())) is None
    assert model_home(partial(watched, "full")) is None


HOOK = """
from pathlib import Path
def hook(record, state, setting):
    if (setting.parameters.hype > float(Path(__file__).with_name("limit.txt").read_text())).any():
        raise ValueError("too much hype")
    return record
"""


@pytest.mark.slow
def test_a_command_with_failed_runs_ends_with_3_and_is_made_again(
    tmp_path: Path, call: Any
) -> None:
    """Its tables too; and what its hook reads is a reason."""
    hype = draw_parameters(Chance(1, range(3)), False, {})["hype"]
    (tmp_path / "hook.py").write_text(HOOK, "utf-8")
    (tmp_path / "limit.txt").write_text(str(float(np.sort(hype)[-2])), "utf-8")
    file = tmp_path / "NA.toml"
    file.write_text('extends = "history"\n[hooks]\ndrivers = "hook.py:hook"\n', "utf-8")
    words = ["run", file, *SMALL, "--out", tmp_path / "runs"]
    code, answer, said = call(*words, "--json")
    found = json.loads(answer)
    directory = Path(found["directory"])
    assert code == 3 and "1 run failed" in said
    assert found["failed"]["by_scenario"] == {"NA": 1}
    failed = pd.read_csv(directory / "failed.csv", keep_default_na=False)
    assert failed["run"].tolist() == [int(np.argmax(hype))] and failed["scenario"][0] == "NA"
    assert json.loads(failed["parameters"][0])["hype"] == hype.max()
    assert call(*words)[0] == 3
    code, answer, _ = call(*failed["command"][0].split()[1:], "--quiet")
    assert code == 0 and "too much hype" in answer
    code, answer, _ = call("reproduce", directory, "--quiet")
    assert code == 0 and "0 further off" in answer and "CSV files made again" in answer
    (tmp_path / "limit.txt").write_text("1000", "utf-8")
    code, answer, _ = call("reproduce", directory, "--quiet")
    assert code == 1 and f"{tmp_path / 'limit.txt'}: " in answer and "→ ok" in answer
    code, _, said = call(*words)
    assert code == 2 and "limit.txt: 'changed' is not valid" in said


def test_where_a_file_has_moved_nothing_is_said_to_be_compared(tmp_path: Path, call: Any) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('extends = "history"\n', "utf-8")
    code, answer, _ = call("run", file, *SMALL, "--out", tmp_path / "runs", "--quiet")
    file.rename(tmp_path / "moved.toml")
    code, said, _ = call("reproduce", answer.strip(), "--quiet")
    assert code == 1 and said.startswith("nothing was compared, since the command cannot be given")
    assert "mine.toml' is not valid" in said and "nearest valid name: moved.toml" in said
    assert "values compared" not in said and "as they were then" not in said


@pytest.mark.slow
def test_a_comparison_is_made_again_with_its_tables(tmp_path: Path, call: Any) -> None:
    words = ["compare", "demand_first", *SMALL, "--shock", "ai_winter:0.5:2025Q1", "--quiet"]
    code, answer, _ = call(*words, "--out", tmp_path)
    directory = Path(answer.strip())
    designs = {name.partition("-")[0] for name in chunks(directory)}
    assert code == 0 and len(designs) == 2
    assert not [path for path in directory.rglob("*") if "ensembles" in path.name]
    code, said, _ = call("reproduce", directory, "--quiet")
    assert code == 0 and "0 further off" in said and "CSV files made again" in said
    table = directory / "comparison.csv"
    before = table.read_bytes()
    table.write_bytes(before.replace(b"demand_first,patents", b"demand_first,patent", 1))
    code, said, _ = call("reproduce", directory, "--quiet")
    assert code == 1 and "  comparison.csv: 1 cells differ, outcome in row " in said
    table.write_bytes(before)
    chunk = directory / "chunks" / chunks(directory)[0]
    content = chunk.read_bytes()
    chunk.write_bytes(content[:-1])
    assert call("reproduce", directory, "--quiet")[0] == 2
    code, again, said = call(*words, "--out", tmp_path)
    assert code == 0 and again == answer and f"warning: {chunk}: not as it was" in said
    assert chunk.read_bytes() == content


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("a", "1.0000000000001", ""),
        ("a", "1.1", "1 cells differ, a in row 1: 1.0 → 1.1"),
        ("b", "y", "1 cells differ, b in row 1: x → y"),
        ("b", "", "1 cells differ, b in row 1: x → "),
        ("c", "1", "2 rows of a, b → 2 rows of a, b, c"),
    ],
)
def test_tables_are_alike_within_rounding(name: str, value: str, words: str) -> None:
    then = pd.DataFrame({"a": ["1.0", "2.0"], "b": ["x", ""]})
    now = then.copy()
    now.loc[0, name] = value
    assert unlike(then, now) == words


@pytest.mark.slow
def test_a_dry_run_says_runs_time_and_memory_and_makes_nothing(tmp_path: Path, call: Any) -> None:
    words = ["--world", "teaching", "--dry-run", "--out", str(tmp_path)]
    code, _, said = call("compare", "demand_first", "--replicates", "10", *words)
    assert code == 0 and "20 runs" in said and "minutes on" in said and "MB on disk" in said
    for many in ([], ["--decompose"]):
        code, _, said = call("compare", "demand_first", "--replicates", 10**9, *many, *words)
        draws, error = said.splitlines()
        assert code == 2 and draws.startswith("Draws: prior")
        assert "replicates: 1000000000 is not valid" in error
    assert not list(tmp_path.iterdir())

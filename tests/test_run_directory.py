"""Run directories are named by their content, appear whole, and are never touched again."""

import hashlib
import json
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from ecosystem.inputs.fingerprint import digest_of_file, files_of
from ecosystem.runs import directory as directories
from ecosystem.runs.identity import plain, short_digest
from experiments.command import run_directory as files

CONFIGURATION = {"command": "run", "seed": 1, "scenarios": ["history"]}


def test_the_hash_depends_on_content_and_not_on_order() -> None:
    name = short_digest(CONFIGURATION)
    assert len(name) == 12
    assert name == short_digest(dict(reversed(CONFIGURATION.items())))
    assert name != short_digest({**CONFIGURATION, "seed": 2})


def test_plain_turns_models_into_json() -> None:
    @dataclass
    class Thing:
        place: Path
        names: tuple[str, ...]

    assert plain({"a": Thing(Path("x"), ("b",)), 1: {2, 1}}) == {
        "a": {"place": "x", "names": ["b"]},
        "1": [1, 2],
    }


def test_a_directory_is_complete_once_its_manifest_lists_its_files(tmp_path: Path) -> None:
    target = tmp_path / "runs" / "abc"
    with files.opened(target, CONFIGURATION, "ecosystem run"):
        files.write_text(target / "table.txt", "words\n")
        assert not directories.is_complete(target)
        directories.write_manifest(target, CONFIGURATION, "ecosystem run", varied=("one",))
    assert directories.is_complete(target)
    manifest = json.loads((target / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["configuration"] == CONFIGURATION
    assert manifest["hash"] == short_digest(CONFIGURATION)
    assert manifest["files"]["table.txt"] == hashlib.sha256(b"words\n").hexdigest()
    assert set(manifest["files"]) == {"table.txt", "plan.json"}
    assert {"python", "numpy", "mesa", "compute-ecosystem"} <= set(manifest["versions"])


def test_csv_opens_in_a_spreadsheet_with_its_chinese(tmp_path: Path) -> None:
    files.write_csv(tmp_path / "table.csv", pd.DataFrame({"名称": ["算力"]}))
    assert (tmp_path / "table.csv").read_bytes() == "\ufeff名称\n算力\n".encode()


@pytest.mark.parametrize("kind", ["text", "csv"])
def test_a_file_reaches_the_disk_whole_or_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    writers: dict[str, Callable[[], None]] = {
        "text": lambda: files.write_text(tmp_path / "file", "words\n"),
        "csv": lambda: files.write_csv(tmp_path / "file", pd.DataFrame({"value": [1.5]})),
    }
    real = os.fsync
    synced: list[bool] = []
    monkeypatch.setattr(
        "os.fsync",
        lambda place: real(place) or synced.append(stat.S_ISDIR(os.fstat(place).st_mode)),
    )
    writers[kind]()
    before = (tmp_path / "file").read_bytes()
    assert before and synced == [False, True]  # the file, then its name

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        writers[kind]()
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_bytes() == before


def test_a_run_is_finished_while_its_chunks_are_as_they_were_written(tmp_path: Path) -> None:
    target = tmp_path / "abc"
    assert not files.is_finished(target)
    with files.opened(target, CONFIGURATION, "ecosystem run"):
        chunk = target / "a.parquet"
        chunk.write_bytes(b"content")
        files.write_text(target / "summary.txt", "words")
        files.write_text(target / "table.csv", "a,b")
        directories.write_manifest(target, CONFIGURATION, "ecosystem run")
    assert files.is_finished(target)
    files.write_text(target / "table.csv", "edited by its owner")
    assert files.is_finished(target)
    for name in ("summary.txt", "table.csv"):
        before = (target / name).read_bytes()
        (target / name).unlink()
        assert not files.is_finished(target)
        (target / name).write_bytes(before)
        assert files.is_finished(target)
    files.write_text(target / "summary.txt", "wor")
    assert not files.is_finished(target)
    before = (target / "manifest.json").read_bytes()
    (target / "manifest.json").write_bytes(before[:20])
    assert not files.is_finished(target)
    (target / "manifest.json").write_bytes(before)
    files.write_text(target / "summary.txt", "words")
    chunk.write_bytes(b"contents")
    assert not files.is_finished(target)
    chunk.unlink()
    assert directories.is_complete(target) and not files.is_finished(target)


def test_digests_cover_tables_packages_and_code() -> None:
    digests = files.data_digests()
    assert set(digests) == {"tables", "packages", "code", "files"}
    assert digests == files.data_digests()
    assert len(set(map(str, digests.values()))) == 4


def test_tables_of_experiments_count_as_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [files.data_digests()["code"]]
    monkeypatch.setattr("importlib.resources.files", lambda _: tmp_path)
    for words in ("sure,1", "sure,2"):
        (tmp_path / "sureness.csv").write_text(words, "utf-8")
        found.append(files.data_digests()["code"])
    assert len(set(found)) == 3


AWKWARD = """from __future__ import annotations
import atexit
from dataclasses import dataclass

@dataclass
class Mine:
    share: float

print("hello", end="")
atexit.register(print, "good-bye")
"""


def test_a_file_may_have_dataclasses_and_print_at_any_time(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(AWKWARD, encoding="utf-8")
    assert files_of(str(file)) == {str(file): digest_of_file(file)}


def test_what_has_no_file_of_the_user_is_loaded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    assert files_of("json") == {}
    monkeypatch.setattr("subprocess.run", lambda *_, **__: pytest.fail("a second process"))
    assert files_of("json") == {}

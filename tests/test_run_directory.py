"""Run directories are named by their content, appear whole, and are never touched again."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from experiments import run_directory as files

CONFIGURATION = {"command": "run", "seed": 1, "scenarios": ["history"]}


def tidy(rows: int = 3) -> pd.DataFrame:
    frame = pd.DataFrame({"scenario": ["history"] * rows, "shock": "", "replicate": range(rows)})
    frame["point"] = 0
    frame["period"] = "2025Q3"
    frame["outcome"] = "servers"
    for name in ("region", "tier", "kind", "domain"):
        frame[name] = ""
    frame["value"] = 1.5
    return frame


def test_the_hash_depends_on_content_and_not_on_order() -> None:
    name = files.configuration_hash(CONFIGURATION)
    assert len(name) == 12
    assert name == files.configuration_hash(dict(reversed(CONFIGURATION.items())))
    assert name != files.configuration_hash({**CONFIGURATION, "seed": 2})


def test_plain_turns_models_into_json() -> None:
    @dataclass
    class Thing:
        place: Path
        names: tuple[str, ...]

    assert files.plain({"a": Thing(Path("x"), ("b",)), 1: {2, 1}}) == {
        "a": {"place": "x", "names": ["b"]},
        "1": [1, 2],
    }


def test_a_directory_is_complete_once_its_manifest_lists_its_files(tmp_path: Path) -> None:
    target = tmp_path / "runs" / "abc"
    with files.opened(target, CONFIGURATION, "ecosystem run"):
        files.write_text(target / "table.txt", "words\n")
        assert not files.is_complete(target)
        files.write_manifest(target, CONFIGURATION, "ecosystem run", varied=("one",))
    assert files.is_complete(target)
    manifest = json.loads((target / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["configuration"] == CONFIGURATION
    assert manifest["hash"] == files.configuration_hash(CONFIGURATION)
    assert manifest["files"]["table.txt"] == hashlib.sha256(b"words\n").hexdigest()
    assert set(manifest["files"]) == {"table.txt", "plan.json"}
    assert {"python", "numpy", "mesa", "compute-ecosystem"} <= set(manifest["versions"])


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_nothing_is_left_after_an_error_before_the_first_result(
    tmp_path: Path, error: type[BaseException]
) -> None:
    target = tmp_path / "runs" / "abc"
    with pytest.raises(error), files.opened(target, CONFIGURATION, "ecosystem run"):
        (target / "ensembles").mkdir()
        raise error
    assert list(tmp_path.iterdir()) == []


def test_results_stay_after_an_error(tmp_path: Path) -> None:
    target = tmp_path / "abc"
    with pytest.raises(RuntimeError), files.opened(target, CONFIGURATION, "ecosystem run"):
        files.write_text(target / "table.txt", "words\n")
        raise RuntimeError
    assert (target / "table.txt").is_file() and not files.is_complete(target)


def test_an_unwritable_place_is_found_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder", encoding="utf-8")
    target = tmp_path / "file" / "abc"
    with pytest.raises(OSError), files.opened(target, CONFIGURATION, "ecosystem run"):
        pytest.fail("the block ran")


def test_parquet_has_one_schema_whatever_the_frame(tmp_path: Path) -> None:
    plain, categories = tidy(), tidy()
    categories["scenario"] = categories["scenario"].astype("category")
    categories["replicate"] = categories["replicate"].astype("int16")
    for name, frame in (("a", plain), ("b", categories)):
        files.write_parquet(tmp_path / f"{name}.parquet", frame)
    first, second = (pq.read_table(tmp_path / f"{name}.parquet") for name in "ab")
    assert first.schema.equals(second.schema)
    assert first.to_pandas()["value"].tolist() == [1.5] * 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.parquet", "b.parquet"]


def test_csv_opens_in_a_spreadsheet_with_its_chinese(tmp_path: Path) -> None:
    files.write_csv(tmp_path / "table.csv", pd.DataFrame({"名称": ["算力"]}))
    assert (tmp_path / "table.csv").read_bytes() == "\ufeff名称\n算力\n".encode()


def test_digests_cover_tables_packages_and_code() -> None:
    digests = files.data_digests()
    assert set(digests) == {"tables", "packages", "code"}
    assert digests == files.data_digests()
    assert len(set(digests.values())) == 3

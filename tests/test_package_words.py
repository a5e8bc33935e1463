"""What a package is: changes against the reference in words and JSON, and a file to start from."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from ecosystem.inputs.entries import REFERENCE
from ecosystem.inputs.scenario import package_names, resolve
from ecosystem.inputs.schedule import build_schedule, planned_present_value, public_discount_rate
from experiments.command.cli import app
from experiments.comparison.package_changes import package_changes
from experiments.report.package_words import change_words, package_file

PLANS = ("rate", "spending", "envelope", "shells_only", "observed", "own")
MORE = '[[instrument]]\nname = "compute_voucher"\nenvelope = 200\n'


def called(*words: str) -> str:
    result = CliRunner().invoke(app, ["list", *words])
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.parametrize("name", package_names())
def test_a_package_as_a_file_is_the_same_scenario(name, tmp_path):
    path = tmp_path / f"{name}.toml"
    path.write_text(called("packages", name, "--toml"), encoding="utf-8")
    again, package = resolve(path), resolve(name)
    assert (again.title_en, again.title_zh) == (package.title_en, package.title_zh)
    for plan in PLANS:
        mine, theirs = (getattr(build_schedule(one), plan) for one in (again, package))
        np.testing.assert_array_equal(mine, theirs)
    assert name == REFERENCE or again.digest == package.digest


@pytest.mark.parametrize("name", package_names())
def test_changes_account_for_all_money_that_a_package_plans(name):
    scenario, reference = resolve(name), resolve(REFERENCE)
    rate = public_discount_rate(scenario)
    mine, base = (planned_present_value(build_schedule(s), rate) for s in (scenario, reference))
    changes = package_changes(scenario, reference)
    moved = sum(one["planned_to"] - one["planned_from"] for one in changes)
    assert moved == pytest.approx(mine - base, abs=1e-6)
    answer = json.loads(called("packages", name, "--json"))
    assert (answer["package"], answer["changes"]) == (name, changes)
    assert all(one["instrument"] for one in changes) == (name != REFERENCE or not changes)


def test_what_is_ended_added_or_replaced_is_said(tmp_path):
    path = tmp_path / "more.toml"
    path.write_text(
        MORE + 'rate = 0.4\nusers = ["lanzhou", "hub"]\nstart = "2027Q1"\n'
        '[[instrument]]\nname = "talent_retention"\nplace = "ring_1"\nend = "2028Q4"\n',
        encoding="utf-8",
    )
    reference = resolve(REFERENCE)
    voucher, talent = package_changes(resolve(path), reference)
    assert (voucher["change"], voucher["replaces"], talent["change"]) == ("changed", True, "added")
    english = change_words(voucher, "history")
    for words in (
        "30 %, at most 100 M¥ a year, 2025Q3–2035Q4 → 30 %, at most 100 M¥ a year, 2025Q3–2026Q4",
        "+ 40 %, at most 200 M¥ a year, for users in hub, lanzhou, 2027Q1–2035Q4",
        "replaces what history plans already",
        "paid by nation/province/prefectures 0/30/70 %",
    ):
        assert words in english
    assert change_words(talent, "history").startswith(
        "new: 100 M¥ a year, in ring_1, 2025Q3–2028Q4; paid by"
    )
    ended = {one["instrument"]: one for one in package_changes(resolve("none"), reference)}
    assert set(ended) == {"compute_voucher", "tariff_discount", "occupancy_gate"}
    assert change_words(ended["occupancy_gate"], "", "zh").endswith("→ 终止")


RAMPS = [
    ("ramp_up = 2", "rising over 2 quarters, 2025Q3–2035Q4", "2 个季度内逐步到位"),
    ('end = "2035Q4"\nramp_down = 8', "fading over the last 8 quarters", "最后 8 个季度逐步退出"),
]


@pytest.mark.parametrize(("ramp", "english", "chinese"), RAMPS)
def test_ramps_are_part_of_a_package(tmp_path, ramp, english, chinese):
    """A package of nothing else changes something, and its file is the same scenario."""
    path = tmp_path / "ramped.toml"
    path.write_text(f'[[instrument]]\nname = "compute_voucher"\n{ramp}\n', encoding="utf-8")
    mine, reference = resolve(path), resolve(REFERENCE)
    (record,) = package_changes(mine, reference)
    assert (record["change"], record["from"][0]["ramp_up"]) == ("changed", 4)
    assert english in change_words(record, "history")
    assert chinese in change_words(record, "history", "zh")
    path.write_text(package_file(mine, reference), encoding="utf-8")
    assert resolve(path).digest == mine.digest


def test_entries_of_a_package_stand_in_order_of_time_and_place(tmp_path):
    path = tmp_path / "places.toml"
    places = ["ring_1", "hub"]
    entries = [f'[[instrument]]\nname = "talent_retention"\nplace = "{one}"\n' for one in places]
    path.write_text("".join(entries), encoding="utf-8")
    (record,) = package_changes(resolve(path), resolve(REFERENCE))
    assert [one["place"] for one in record["to"]] == [["hub"], ["ring_1"]]


def test_a_setting_that_replaces_says_so_where_it_is_checked(tmp_path):
    path = tmp_path / "more.toml"
    path.write_text(MORE, encoding="utf-8")
    result = CliRunner().invoke(app, ["check", str(path)])
    assert result.exit_code == 0
    assert "note: more: compute_voucher replaces what history plans already" in result.stderr
    path.write_text(MORE.replace("200", "100"), encoding="utf-8")
    same = CliRunner().invoke(app, ["check", str(path)]).stderr
    assert "note: more: changes nothing against history" in same
    path.write_text('[[instrument]]\nname = "talent_retention"\n', encoding="utf-8")
    assert "note" not in CliRunner().invoke(app, ["check", str(path)]).stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["shocks", "article"], "list shocks: 'article' is not valid; allowed: nothing"),
        (["instruments", "x"], "packages alone takes the name of one"),
        (["packages", "--toml"], "'--toml' is not valid; allowed: after packages and the name"),
        (["packages", "article", "--toml", "--json"], "'--toml --json' is not valid; allowed: one"),
        (["packages", "articel"], "nearest valid name: article"),
    ],
)
def test_what_cannot_be_listed(words, message):
    result = CliRunner().invoke(app, ["list", *words])
    assert result.exit_code == 2 and message in result.stderr


def test_a_budget_says_that_it_scales_and_a_package_what_it_plans_in_all(tmp_path):
    """In the list, in the file to start from, and where a file is checked."""
    call = CliRunner().invoke
    listed = " ".join(call(app, ["list", "packages", "capex_only"]).stdout.split())
    assert "Planned beyond History continues: 4,000 M¥ in all" in listed
    assert "capex_only: [budget] scales the money of its entries" in listed
    assert json.loads(call(app, ["list", "packages", "capex_only", "--json"]).stdout)[
        "planned"
    ] == pytest.approx(4000, rel=1e-6)
    assert "全部工具终止" in call(app, ["list", "packages", "none", "--lang", "zh"]).stdout
    path = tmp_path / "mine.toml"
    written = call(app, ["list", "packages", "capex_only", "--toml"]).stdout
    assert "# This budget scales every spending and envelope below" in written
    path.write_text(written, encoding="utf-8")
    assert "note: mine: [budget] scales" in call(app, ["check", str(path)]).stderr
    path.write_text(written.replace("[budget]\npresent_value", "# "), encoding="utf-8")
    assert "budget" not in call(app, ["check", str(path)]).stderr


@pytest.mark.parametrize(("envelope", "beyond", "own"), [(100, "0", "827"), (200, "789", "1,616")])
def test_money_that_restates_the_reference_is_not_counted_beyond_it(
    tmp_path, envelope, beyond, own
):
    path = tmp_path / "again.toml"
    path.write_text(
        f'[[instrument]]\nname = "compute_voucher"\nenvelope = {envelope}\n', encoding="utf-8"
    )
    listed = " ".join(called("packages", str(path)).split())
    assert f"Planned beyond History continues: {beyond} M¥ in all" in listed
    assert f"own plan of {own} M¥, 827 M¥ takes the place of what History continues" in listed
    answer = json.loads(called("packages", str(path), "--json"))
    moved = sum(one["planned_to"] - one["planned_from"] for one in answer["changes"])
    assert answer["planned"] - answer["replaced"] == pytest.approx(moved, abs=1e-6)
    assert "takes the place" not in called("packages", "capex_only")


def test_rules_and_hooks_are_named_wherever_a_file_is_looked_at(tmp_path):
    (tmp_path / "mine.py").write_text(
        "def none(quarter, setting):\n    return 0 * quarter.state.firms.staff\n\n\n"
        "def same(record, state, setting):\n    return {}\n",
        encoding="utf-8",
    )
    path = tmp_path / "own.toml"
    path.write_text(
        '[rules]\nwant_staff = "mine.py:none"\n[hooks]\nlabour = "mine.py:same"\n',
        encoding="utf-8",
    )
    names = ("rule want_staff = mine.py:none", "hook labour = mine.py:same")
    few = ["--world", "teaching", "--replicates", "2", "--dry-run"]
    listed = " ".join(called("packages", str(path)).split())
    assert "changes nothing" not in listed
    said = [listed] + [
        CliRunner().invoke(app, words).stderr
        for words in (["check", str(path)], ["run", str(path), *few], ["compare", str(path), *few])
    ]
    for words in said:
        assert all(name in words for name in names), words
    assert "warning: own assumes otherwise than history" in said[-1]
    same = CliRunner().invoke(app, ["compare", str(path), "--reference", str(path), *few])
    assert "assumes otherwise" not in same.stderr
    assert "assumes otherwise" not in called("packages", "article")

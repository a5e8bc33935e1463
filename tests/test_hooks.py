"""A user's own policy: functions behind stages, what they may do and what is refused."""

import os
import pickle
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import assert_same_bits, final, quarters, setting_of
from test_invariants import check_money
from typer.testing import CliRunner

from ecosystem import EcosystemModel, Scenario, simulate
from ecosystem.inputs.calendar import POLICY_START
from ecosystem.inputs.faults import InputError
from ecosystem.inputs.functions import STAGES, HookError
from ecosystem.inputs.scenario import resolve
from ecosystem.outcomes import measure
from ecosystem.runs.store import read_frame
from ecosystem.state.ledger import Flow, Purpose
from experiments.command.cli import app

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "your_own_policy.md"
HEAD = "import numpy as np\nfrom ecosystem.state.ledger import Flow\n\n"
SMALL: dict[str, Any] = {"world": "teaching", "replicates": 2, "until": "2026Q2", "jobs": 1}
QUICK = ("shape", "not a number", "negative flow", "unknown lever")
BRIEF = ["--world", "teaching", "--replicates", "2", "--until", "2025Q4", "--jobs", "1"]
OPTIONS = ["--world", "teaching", "--replicates", "2", "--until", "2026Q2", "--jobs", "1"]


def blocks(language: str) -> list[str]:
    """Return the code blocks of the page in one language."""
    words = PAGE.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", words, flags=re.MULTILINE | re.DOTALL)


def page_files(folder: Path) -> dict[str, str]:
    """Write the files of the page into a folder; return their texts by name."""
    named = {code.split("\n")[0][2:]: code for code in blocks("toml") + blocks("python")}
    files = {name: code for name, code in named.items() if name.endswith((".toml", ".py"))}
    for name, code in files.items():
        (folder / name).write_text(code, encoding="utf-8")
    return files


def write_hook(folder: Path, body: str, stage: str = "policy") -> Path:
    """Write a function `f(record, state, setting)` and a TOML that hooks it; return the TOML."""
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    code = f"{HEAD}def f(record, state, setting):\n{lines}\n"
    (folder / "mine.py").write_text(code, encoding="utf-8")
    toml = folder / "mine.toml"
    toml.write_text(f'extends = "article"\n[hooks]\n{stage} = "mine.py:f"\n', encoding="utf-8")
    return toml


def call(*words: str | Path) -> tuple[int, str, str]:
    """Run the command; return exit code, standard output and standard error."""
    result = CliRunner().invoke(app, [str(word) for word in words])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def half_pairing(record: Any, state: Any, setting: Any) -> dict[str, Any]:
    return {"lever": {"regional_pairing": 0.5 * record.lever["regional_pairing"]}}


def no_change(record: Any, state: Any, setting: Any) -> dict[str, Any]:
    return {}


@pytest.mark.slow
def test_examples_of_the_page_are_short_and_run(tmp_path: Path) -> None:
    files = page_files(tmp_path)
    assert set(files) == {
        "my_levers.toml",
        "my_past.toml",
        "my_policy.py",
        "my_policy.toml",
        "my_rule.py",
        "my_rule.toml",
    }
    assert len(files["my_levers.toml"].splitlines()) < 30
    own = files["my_policy.py"] + files["my_policy.toml"]
    assert len(own.splitlines()) < 30
    code, *_ = call("check", tmp_path / "my_levers.toml")
    assert code == 0
    options = [*OPTIONS, "--quiet", "--out", tmp_path / "runs"]
    code, answer, words = call(
        "compare", "article", tmp_path / "my_levers.toml", tmp_path / "my_policy.toml", *options
    )
    assert code == 0 and words.startswith("note: my_levers: compute_voucher replaces")
    assert (Path(answer.strip()) / "comparison.csv").is_file()


@pytest.mark.slow
def test_python_of_the_page_runs(tmp_path: Path) -> None:
    page_files(tmp_path)
    (code,) = (block for block in blocks("python") if "simulate" in block)
    code, changes = re.subn(r"replicates=\d+", "replicates=1, until='2025Q4'", code)
    assert changes == 1
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-W", "error", "-c", f"{code}\nprint(result.scenarios)"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True)
    assert done.stdout.decode().strip() == "('article', 'more pairing')"


def test_policy_of_the_page_does_what_it_says(tmp_path: Path) -> None:
    """More is sold elsewhere, and the province pays between nothing and its highest cost."""
    page_files(tmp_path)
    result = simulate(
        ["article", tmp_path / "my_policy.toml"],
        **{**SMALL, "until": "2027Q4", "replicates": 4},
        outcomes=["compute_exported", "public_cost_provincial"],
    )
    sold, paid = (np.diff(values[:, :, :, 0], axis=0)[0] for values in result.series.values())
    assert (sold[:, POLICY_START:].sum(axis=1) > 0).all()
    assert (paid[:, POLICY_START:] > 0).all() and (paid < 40).all()


def test_page_names_every_stage() -> None:
    words = PAGE.read_text("utf-8").split("## What a hook sees")[1]
    assert set(re.findall(r"^\| `(\w+)` \|", words, re.MULTILINE)) == set(STAGES)


def test_the_past_stays_as_it_is() -> None:
    mine = Scenario(["article"], hooks={"policy": half_pairing}, name="mine")
    series = simulate(["article", mine], **SMALL).series["compute_exported"]
    one, other = series[:, :, :, 0]
    np.testing.assert_array_equal(one[:, :POLICY_START], other[:, :POLICY_START])
    assert (one[:, POLICY_START:] != other[:, POLICY_START:]).all()


def test_hooks_that_change_nothing_change_no_bit() -> None:
    def same(record: Any, state: Any, setting: Any) -> Any:
        return record

    plain, _ = final(setting_of("article"), POLICY_START + 1)
    for function in (no_change, same):
        hooked = Scenario(["article"], hooks=dict.fromkeys(STAGES[:-1], function))
        assert_same_bits(final(setting_of(hooked), POLICY_START + 1)[0], plain)


def test_a_record_made_anew_is_as_good_as_a_dict() -> None:
    def anew(record: Any, state: Any, setting: Any) -> Any:
        from dataclasses import replace

        changed = half_pairing(record, state, setting)["lever"]
        return replace(record, lever={**record.lever, **changed})

    one, other = (
        final(setting_of(Scenario(["article"], hooks={"policy": f})), POLICY_START + 2)[1]
        for f in (half_pairing, anew)
    )
    assert_same_bits(one, other)


@pytest.mark.slow
def test_hooks_of_several_files_follow_one_another(tmp_path: Path) -> None:
    files = []
    for number, rule in enumerate(("+ 1", "* 3")):
        folder = tmp_path / f"part_{number}"
        folder.mkdir()
        body = (
            f'return {{"lever": {{"regional_pairing": record.lever["regional_pairing"] {rule}}}}}'
        )
        files.append(write_hook(folder, body))
    lever = {
        order: final(setting_of(Scenario(order)), POLICY_START)[0].policy.lever["regional_pairing"]
        for order in ((*files,), (*files[::-1],), ("article",))
    }
    start = lever[("article",)]
    np.testing.assert_allclose(lever[(*files,)], 3 * (start + 1))
    np.testing.assert_allclose(lever[(*files[::-1],)], 3 * start + 1)


def pay_firms(record: Any, state: Any, setting: Any) -> list[Any]:
    """Let prefecture, province and nation pay firms; let firms pay a fee to the nation."""
    each = state.firms.active / np.maximum(state.firms.active.sum(axis=1, keepdims=True), 1)
    paid = np.zeros_like(state.governments.cash)
    paid[:, 0], paid[:, -2], paid[:, -1] = 1.0, 2.0, 4.0
    fee = np.zeros_like(paid)
    fee[:, -1] = 3.0
    return [
        Flow("grants of mine", "government", paid, "firms", 7 * each),
        Flow("fee of mine", "firms", 3 * each, "government", fee),
        Flow("shift of mine", "government", fee, "government", paid[:, ::-1] * (3 / 7)),
    ]


def test_flows_are_booked_and_public_money_is_counted() -> None:
    setting = setting_of(Scenario(["article"], hooks={"flows": pay_firms}))
    runs = zip(
        quarters(setting, POLICY_START + 3),
        quarters(setting_of("article"), POLICY_START + 3),
        strict=True,
    )
    for (quarter, after), (plain, _) in runs:
        check_money(quarter, after, setting)
        t = quarter.state.period
        assert len(quarter.accounts.added) == (3 if t >= POLICY_START else 0)
        if t == POLICY_START:  # later the money has consequences of its own
            one, other = measure(quarter, setting), measure(plain, setting)
            change = {name: float((one[name] - other[name]).sum()) for name in one}
    shift = pay_firms(None, quarter.state, setting)[2]
    moved = (shift.paid - shift.received)[0]
    expected = {
        "public_cost": 7,
        "public_cost_national": 4 + moved[-1],
        "public_cost_provincial": 2 + moved[-2],
        "tax_receipts": 3,
        "net_public_cost": 4,
    }
    assert {name: change[name] for name in expected} == pytest.approx(expected, abs=1e-9)


def buy_and_charge(record: Any, state: Any, setting: Any) -> list[Any]:
    """Let the province buy something from firms, and charge firms in turn."""
    each = state.firms.active / np.maximum(state.firms.active.sum(axis=1, keepdims=True), 1)
    province = np.zeros_like(state.governments.cash)
    province[:, -2] = 5.0
    return [
        Flow("order of mine", "government", province, "firms", 5 * each, Purpose.SALE),
        Flow("fee of mine", "firms", 5 * each, "government", province, "charge"),
    ]


def test_a_purpose_says_what_a_flow_counts_as() -> None:
    """What the province buys is no public cost; a charge on firms is a receipt of theirs."""
    plain = setting_of("article")
    setting = setting_of(Scenario(["article"], hooks={"flows": buy_and_charge}))
    one, other = (measure(final(s, POLICY_START)[0], s) for s in (setting, plain))
    change = {name: float((one[name] - other[name]).sum()) for name in one}
    moved = {name: value for name, value in change.items() if abs(value) > 1e-9}
    expected = {"tax_receipts": 5, "local_tax_receipts": 5, "net_public_cost": -5}
    expected["social_account"] = 5 * (float(setting.parameters.cost_of_public_funds[0, 0]) - 1)
    assert moved == pytest.approx(expected)


GOVERNMENT = "paid = np.zeros_like(state.governments.cash)\n"
BAD: dict[str, tuple[str, str, str]] = {
    "shape": (
        "policy",
        'return {"lever": {"regional_pairing": np.ones(2)}}',
        r"field lever.regional_pairing: 'shape \(2,\)' .* allowed: shape \(2, 1\)",
    ),
    "not a number": (
        "market",
        'return {"sold": record.sold * np.nan}',
        r"field sold: 'nan at \(0, 0\)' .* allowed: finite numbers",
    ),
    "text": ("drivers", 'return {"year": "x"}', "field year: .* numbers of type float64"),
    "unequal rows": ("policy", 'return {"gate": [[1], [1, 2]]}', "field gate: .* type float64"),
    "unknown field": ("market", 'return {"solt": record.sold}', "nearest valid name: sold"),
    "unknown lever": (
        "policy",
        'return {"lever": {"regional_paring": 1}}',
        "nearest valid name: regional_pairing",
    ),
    "deep field": (
        "investment",
        'return {"location": {"share": 1.0}}',
        r"field location.share: 'shape \(\)'",
    ),
    "nothing": ("labour", "record", "'NoneType None' .* a dict of the fields that change"),
    "an error": (
        "business",
        'return state["cash"]',
        'TypeError: .* \\(line 5\\)" .* ends without an error',
    ),
    "in place": ("supply", "record.orders[:] = 0", "ValueError: .* read-only"),
    "in place in a dict": ("policy", 'record.lever["x"] = 0', "TypeError: .* item assignment"),
    "the plan in place": ("policy", "setting.schedule.rate[:] = 0", "ValueError: .* read-only"),
    "a parameter": ("policy", "setting.parameters.hype = 0", "parameter 'hype' cannot be written"),
    "a parameter in place": (
        "policy",
        "setting.parameters.hype[:] = 0",
        "ValueError: .* read-only",
    ),
    "parameters of the kinds in place": (
        "policy",
        'setting.by_kind("headline_weight")[:] = 0',
        "ValueError: .* read-only",
    ),
    "shocks in place": ("policy", "setting.shocks.clear()", "AttributeError: .* no attribute"),
    "a shock in place": (
        "policy",
        "next(iter(setting.shocks.values()))[:] = 0",
        "ValueError: .* read-only",
    ),
    "negative payment by the model": (
        "market",
        'return {"payments": -record.payments}',
        r"stage market, 2025Q3, flow 'compute .*' .* none below zero",
    ),
    "negative flow": (
        "flows",
        GOVERNMENT
        + "paid[:, 0] = -1\n"
        + 'return [Flow("x", "government", paid, "bank", paid.sum(1, keepdims=True))]',
        r"flow 0 \(x\), paid: '-1.0 at \(0, 0\)' .* none below zero",
    ),
    "unbalanced flow": (
        "flows",
        GOVERNMENT + 'return [Flow("x", "government", paid, "bank", paid[:, :1] + 1)]',
        r"flow 0 \(x\): 'paid 0, received 1' .* the same sum",
    ),
    "unknown sector": (
        "flows",
        GOVERNMENT + 'return [Flow("x", "goverment", paid, "bank", paid[:, :1])]',
        r"flow 0 \(x\), payer: .* nearest valid name: government",
    ),
    "unknown purpose": (
        "flows",
        GOVERNMENT + 'return [Flow("x", "government", paid, "bank", paid[:, :1], "chrage")]',
        r"flow 0 \(x\), purpose: .* nearest valid name: charge",
    ),
    "money for nobody": (
        "flows",
        "paid = np.ones_like(state.firms.cash)\n"
        + 'return [Flow("x", "firms", paid, "bank", paid.sum(1, keepdims=True))]',
        "empty slot",
    ),
    "no list": ("flows", "return {}", "a list of flows"),
    "no flow": ("flows", "return [1]", "flow 0: 'int 1'"),
}


@pytest.mark.slow
@pytest.mark.parametrize(
    "case", [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in BAD]
)
def test_bad_hooks_end_with_an_error_and_nothing_written(case: str, tmp_path: Path) -> None:
    stage, body, words = BAD[case]
    toml = write_hook(tmp_path, body, stage)
    before = sorted(tmp_path.rglob("*"))
    code, answer, error = call("run", toml, *BRIEF, "--quiet", "--out", tmp_path / "runs")
    assert (code, answer) == (2, "")
    note, error = error.split("\n", 1)
    assert note == f"note: mine: hook {stage} = mine.py:f"
    assert error.startswith(f"error: hook mine.py:f, stage {stage}, 2025Q3")
    assert re.search(words, error), error
    assert sorted(tmp_path.rglob("*")) == before


def test_files_that_cannot_be_hooked_are_all_named(tmp_path: Path) -> None:
    write_hook(tmp_path, "return {}")
    (tmp_path / "broken.py").write_text("def f(:\n", encoding="utf-8")
    (tmp_path / "narrow.py").write_text("def f(record):\n    return {}\n", encoding="utf-8")
    toml = tmp_path / "bad.toml"
    toml.write_text(
        '[hooks]\npolcy = "mine.py:f"\npolicy = "none.py:f"\nmarket = "mine.py:g"\n'
        'supply = "broken.py:f"\nlabour = "narrow.py:f"\nbusiness = 3\n',
        encoding="utf-8",
    )
    before = sorted(tmp_path.rglob("*"))
    code, _, error = call("run", toml, *OPTIONS, "--out", tmp_path / "runs")
    assert code == 2 and len(error.splitlines()) == 6
    for words in (
        "hooks.polcy: .* nearest valid name: policy",
        "hooks.policy: 'none.py' .* a Python file that can be read",
        "hooks.market: 'g' .* a function of mine.py",
        r"hooks.supply: 'broken.py' .* a Python file that runs \(SyntaxError",
        r"hooks.labour: 'narrow.py:f' .* a function of \(record, state, setting\)",
        "hooks.business: 3 .* 'my_file.py:my_function', or a function",
    ):
        assert re.search(words, error), (words, error)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.slow
def test_more_processes_return_the_same(tmp_path: Path) -> None:
    toml = write_hook(
        tmp_path, 'return {"lever": {"regional_pairing": 0 * state.nation.use[:, :1]}}'
    )
    scenarios = [toml, Scenario(["article"], hooks={"policy": half_pairing}, name="function")]
    one, two = (simulate(scenarios, **{**SMALL, "jobs": jobs}) for jobs in (1, 2))
    for name, values in one.series.items():
        np.testing.assert_array_equal(values, two.series[name], err_msg=name)


@pytest.mark.slow
def test_an_error_in_another_process_is_the_same_error(tmp_path: Path) -> None:
    toml = write_hook(tmp_path, 'return {"gate": 1}')
    with pytest.raises(HookError, match=r"hook mine.py:f, stage policy, 2025Q3, field gate"):
        simulate(["article", toml], **{**SMALL, "jobs": 2})


@pytest.mark.slow
def test_functions_without_a_file_travel_but_are_not_stored(tmp_path: Path) -> None:
    def halved(record: Any, state: Any, setting: Any) -> dict[str, Any]:
        return half_pairing(record, state, setting)

    scenarios = ["article", Scenario(["article"], hooks={"policy": halved}, name="mine")]
    one, two = (simulate(scenarios, **{**SMALL, "jobs": jobs}) for jobs in (1, 2))
    for name, values in one.series.items():
        np.testing.assert_array_equal(values, two.series[name], err_msg=name)
    with pytest.raises(InputError, match="out: .*halved.* typed into a script or a notebook"):
        simulate(scenarios, **SMALL, out=tmp_path / "runs")
    assert not list(tmp_path.iterdir())


def test_the_digest_follows_the_content_of_the_file(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("one", "other")]
    for folder in folders:
        folder.mkdir()
    first, moved = (resolve(write_hook(folder, "return {}")) for folder in folders)
    changed = resolve(write_hook(folders[0], "return {} or {}"))
    assert first.digest == moved.digest != changed.digest
    assert first.digest != resolve("article").digest
    again = pickle.loads(pickle.dumps(first))
    assert again.digest == first.digest and again == first
    assert again.hooks[0].function is first.hooks[0].function, "the file is run once"


@pytest.mark.slow
def test_a_changed_file_is_another_run(tmp_path: Path) -> None:
    bodies = ("return {}", 'return {"lever": {"regional_pairing": 0 * record.fiscal_extra}}')
    options = [*OPTIONS, "--quiet", "--out", tmp_path / "runs"]
    answers = [call("run", write_hook(tmp_path, body), *options)[1] for body in bodies]
    assert len(set(answers)) == 2
    one, other = (read_frame(answer.strip())["value"] for answer in answers)
    assert not one.equals(other)


@pytest.mark.slow
def test_a_mesa_model_calls_hooks(tmp_path: Path) -> None:
    mine = Scenario(["article"], hooks={"policy": half_pairing}, name="mine")
    model = EcosystemModel(mine, rng=1, world="teaching", fixed_parameters=True)
    for _ in range(POLICY_START + 2):
        model.step()
    assert_same_bits(model.state, final(setting_of(mine), POLICY_START + 1)[1])
    bad = EcosystemModel(write_hook(tmp_path, 'return {"gate": 1}'), rng=1, world="teaching")
    for _ in range(POLICY_START):
        bad.step()
    with pytest.raises(HookError, match="mine.py:f"):
        bad.step()
    assert bad.period == POLICY_START

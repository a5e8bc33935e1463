"""Decision rules of agents replaced by name: by their mean, or by a function of the user."""

import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import assert_same_bits, final, setting_of
from test_hooks import PAGE, blocks, call

from ecosystem import EcosystemModel, Scenario
from ecosystem.extend import check_flows
from ecosystem.inputs.calendar import POLICY_START
from ecosystem.inputs.catalogue import agents
from ecosystem.inputs.faults import FaultList, InputError
from ecosystem.inputs.functions import HookError
from ecosystem.inputs.scenario import resolve
from ecosystem.quarter.rules import MEANS, RULES
from ecosystem.quarter.start import initial_state
from ecosystem.quarter.step import step
from ecosystem.runs.again import hook_of
from ecosystem.state.ledger import Flow

UNTIL = 25


def usual(quarter: Any, setting: Any, room: Any, owned: Any, taken: Any) -> Any:
    return setting.rules.order_servers(quarter, setting, room, owned, taken)


def nothing(quarter: Any, setting: Any, room: Any, owned: Any, taken: Any) -> Any:
    return np.zeros_like(room)


def page_rule(folder: Path) -> Path:
    """Write the rule of the page into a folder; return its TOML file."""
    for name, language in (("my_rule.py", "python"), ("my_rule.toml", "toml")):
        (code,) = (block for block in blocks(language) if block.startswith(f"# {name}"))
        (folder / name).write_text(code, encoding="utf-8")
    return folder / "my_rule.toml"


def test_the_page_lists_every_rule_as_the_agent_table_has_it() -> None:
    listed = re.findall(
        r"^\| `(\w+)` \| ([\w ]+) \| (.+) \| (.+) \|$",
        PAGE.read_text("utf-8").split("## What a hook sees")[0],
        re.MULTILINE,
    )
    assert listed == [
        (
            name,
            row.kind.replace("_", " "),
            ", ".join(f"`{c}`" for c in row.columns) or "–",
            row.answer,
        )
        for name, row in agents().items()
    ]


def test_the_rule_of_the_page_does_what_it_says(tmp_path: Path) -> None:
    toml = page_rule(tmp_path)
    assert call("check", toml)[0] == 0
    quarter, _ = final(setting_of(Scenario([toml]), replicates=range(3)), UNTIL)
    plain, _ = final(setting_of("article", replicates=range(3)), UNTIL)
    centres = quarter.state.centres
    slack = (centres.use < 2 / 3) & (centres.servers > 0)
    assert slack.any() and (quarter.investment.server_order[slack] == 0).all()
    assert (quarter.investment.server_order > 0).any()
    assert (plain.investment.server_order[plain.state.centres.use < 2 / 3] > 0).any()


def test_a_rule_that_answers_as_the_model_does_changes_no_bit() -> None:
    mine = setting_of(Scenario(["article"], rules={"order_servers": usual}), replicates=(0, 1))
    plain = setting_of("article", replicates=(0, 1))
    assert_same_bits(final(mine, UNTIL)[1], final(plain, UNTIL)[1])


def test_rules_hold_from_the_first_quarter_in_every_face() -> None:
    mine = Scenario(["article"], rules={"order_servers": nothing}, name="mine")
    quarter, state = final(setting_of(mine), 3)
    assert (quarter.investment.server_order == 0).all()
    model = EcosystemModel(mine, rng=1, world="teaching", fixed_parameters=True)
    for _ in range(4):
        model.step()
    assert_same_bits(model.state, state)
    again = pickle.loads(pickle.dumps(model))
    again.step()
    model.step()
    assert_same_bits(again.state, model.state)


def test_a_mean_has_the_shape_of_its_rule_and_lets_the_model_run() -> None:
    assert set(RULES) == set(MEANS) == set(agents())
    _, before = final(setting_of("article", replicates=(0, 1)), POLICY_START)
    for name in RULES:
        setting = setting_of(Scenario(["article"], rules={name: "mean"}), replicates=(0, 1))
        state, _ = step(before, setting)
        _, quarter = step(state, setting)
        assert np.isfinite(quarter.market.revenue).all(), name


def test_means_by_hand() -> None:
    """A mean is what it says: equal answers of equal agents, their sum kept where it is shared."""
    means = {"order_servers", "want_staff", "pay_match", "ask_price", "mark_up"}
    setting = setting_of(Scenario(["article"], rules=dict.fromkeys(means, "mean")))
    quarter, _ = final(setting, 20)
    world, state = setting.world, quarter.state
    active = state.firms.active[0] > 0
    staff = setting.rules.want_staff(quarter, setting)[0]
    own = RULES["want_staff"](quarter, setting)[0]
    np.testing.assert_allclose(staff[active], own[active].mean())
    cash, due = np.array([[1.0, 3.0]]), np.array([[4.0, 4.0]])
    met = setting.rules.pay_match(quarter, setting, cash, due)
    np.testing.assert_allclose(met, [[0.5, 0.5]])
    first = world.makers.stage == 0
    weight = state.makers.capacity[0, first]
    price = setting.rules.ask_price(quarter, setting)[0, first]
    np.testing.assert_allclose(price, np.average(state.makers.cost[0, first], weights=weight))
    room = np.ones_like(state.centres.servers)
    order = setting.rules.order_servers(quarter, setting, room, state.centres.servers, 0 * room)
    plain = RULES["order_servers"](quarter, setting, room, state.centres.servers, 0 * room)
    np.testing.assert_allclose(world.centres.sum(order, "kind"), world.centres.sum(plain, "kind"))
    assert len(np.unique(order[0, world.centres.intelligent])) == 1


def test_a_later_layer_replaces_the_rule_of_an_earlier_one(tmp_path: Path) -> None:
    toml = page_rule(tmp_path)
    over = tmp_path / "over.toml"
    over.write_text('extends = "my_rule.toml"\nrules = { order_servers = "mean" }\n', "utf-8")
    names = {hook.stage: hook.name for hook in resolve(over).hooks}
    assert names == {"mark_up": "mean", "order_servers": "mean"}
    assert {hook.name for hook in resolve(toml).hooks} == {"mean", "my_rule.py:order"}


def test_rules_belong_to_the_scenario_and_are_found_again(tmp_path: Path) -> None:
    toml = page_rule(tmp_path)
    plain, mine = resolve("article"), resolve(toml)
    assert plain.digest != mine.digest
    (tmp_path / "my_rule.py").write_text(
        (tmp_path / "my_rule.py").read_text("utf-8").replace("2 / 3", "1 / 3"), "utf-8"
    )
    changed = resolve(toml)
    assert changed.digest != mine.digest
    again = pickle.loads(pickle.dumps(mine))
    assert again == mine and all(hook.place for hook in again.hooks)
    for hook in changed.hooks:
        assert hook_of(FaultList(), str(hook), str(hook.place)) == hook


BAD = {
    "shape": ("return room[:, :2]", r"'shape \(1, 2\)' .* allowed: shape \(1, \d+\)"),
    "not finite": ("return room / 0", "(nan|inf) at .* finite numbers"),
    "text": ("return 'all'", "numbers of type float64"),
    "an error": ("return room['x']", r"IndexError: .* \(line 5\)"),
    "in place": ("room[:] = 0", "ValueError: .* read-only"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_answer_names_function_rule_and_quarter(case: str, tmp_path: Path) -> None:
    body, words = BAD[case]
    head = "import numpy as np\nnp.seterr(all='ignore')\n\ndef f(quarter, setting, room, *more):\n"
    (tmp_path / "mine.py").write_text(f"{head}    {body}\n", "utf-8")
    mine = Scenario(["article"], rules={"order_servers": str(tmp_path / "mine.py:f")})
    with pytest.raises(HookError, match=rf"mine.py:f, rule order_servers, 2020Q1.*{words}"):
        final(setting_of(mine), 1)


OUTSIDE = {
    "offer_capacity": ("3 * usual", "between 0 and left"),
    "offer_idle": ("3 + 0 * usual", "between 0 and 1"),
    "expand_capacity": ("-1 - usual", "0 or more"),
    "pay_match": ("-1 + 0 * usual", "between 0 and 1"),
    "push_readiness": ("2 + 0 * usual", "between 0 and 1"),
    "move_envelopes": ("-1 + 0 * usual", "0 or more"),
    "withhold_funding": ("2 + 0 * usual", "between 0 and 1"),
    "close_centre": ("0.5 + 0 * usual", "0 or 1"),
    "refuse_halls": ("0.5 + 0 * usual", "0 or 1"),
    "bid_for_halls": ("-usual", "0 or more"),
    "ask_price": ("0 * usual", "0.001 or more"),
    "route_work": ("usual / 2", "sum: '0.[45].* at .*' is not valid; allowed: 1"),
}


@pytest.mark.parametrize("rule", OUTSIDE)
def test_an_answer_outside_the_bounds_of_its_rule_is_refused(rule: str) -> None:
    """At the first quarter in which it is asked, in one clear line."""
    words, allowed = OUTSIDE[rule]

    def mine(quarter: Any, setting: Any, *columns: Any) -> Any:
        usual = getattr(setting.rules, rule)(quarter, setting, *columns)
        return eval(words, {"usual": usual})

    setting = setting_of(Scenario(["article"], rules={rule: mine}))
    with pytest.raises(HookError, match=f"mine, rule {rule}, 20.*{allowed}") as refused:
        final(setting, 24)
    assert len(str(refused.value).splitlines()) == 1


def test_rounding_breaks_no_bound() -> None:
    """And it lends no centre more than it has."""

    def all_and_a_bit(quarter: Any, setting: Any, left: Any, share: Any) -> Any:
        return left * (1 + 1e-12)

    mine = Scenario(["article"], rules={"offer_capacity": all_and_a_bit})
    plain = setting_of("article")
    assert_same_bits(final(setting_of(mine), 3)[1], final(plain, 3)[1])


def test_a_rule_that_turns_a_payment_negative_is_named() -> None:
    """Where no bound of its own tells."""
    setting = setting_of(Scenario(["article"], rules={"order_servers": nothing}))
    flow = Flow("fee", "bank", np.full((1, 1), -1.0), "grid", np.full((1, 1), -1.0))
    state = initial_state(setting)
    with pytest.raises(HookError, match="nothing, rule order_servers, 2020Q1, flow 'fee', paid"):
        check_flows([flow], state, setting)
    check_flows([flow], state, setting_of("article"))


def test_rules_that_cannot_be_are_all_named(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("builtin = max", "utf-8")
    rules = {
        "order_server": "mean", "mark_up": "median", "offer_idle": nothing, "ask_price": 3,
        "adopt_ai": np.array(["mean", "mean"]), "close_firm": str(tmp_path / "mine.py:builtin"),
    }  # fmt: skip
    with pytest.raises(InputError) as refused:
        Scenario(["article"], rules=rules)
    for words in (
        "Scenario.rules.order_server: .* nearest valid name: order_servers",
        "Scenario.rules.mark_up: 'median' .* 'my_file.py:my_function', or a function, or 'mean'",
        r"Scenario.rules.offer_idle: .*nothing.* a function of \(quarter, setting, margin\)",
        "Scenario.rules.ask_price: 3 .* or 'mean'",
        "Scenario.rules.adopt_ai: .* or 'mean'",
        r"Scenario.rules.close_firm: .*mine.py:builtin.* a function of \(quarter, setting\)",
    ):
        assert re.search(words, str(refused.value)), words

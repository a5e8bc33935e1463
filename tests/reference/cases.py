"""Scenarios, settings and states that the tests of the reference share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

from ecosystem.inputs.scenario import Scenario, resolve
from ecosystem.inputs.world.loader import load_world
from ecosystem.quarter.start import initial_state, make_setting
from ecosystem.quarter.step import step
from ecosystem.state.records import Quarter
from ecosystem.state.setting import Setting
from ecosystem.state.state import State

from .agents import FIRST_POLICY_QUARTER
from .extremes import MARKET, SOCIETY, on_record, poor, with_parameters

SCENARIOS = {
    "history": Scenario("history"),
    "none": Scenario("none", shocks="rival_price_war"),
    "article": Scenario("article"),
    "plus": Scenario("article_plus", shocks="power_crunch"),
    "limit": Scenario("article", shocks="demand_surge", parameters={"investment_limit": 1}),
    "supply": Scenario("article_supply", shocks="accelerator_export_control"),
    "demand": Scenario("demand_first", shocks="inference_shift"),
    "capital": Scenario("capex_only", shocks="ai_winter"),
    "output": Scenario("output_only", shocks="rival_price_war"),
    "diffusion": Scenario("diffusion", shocks="efficiency_jump"),
    "green": Scenario("green_first", shocks="inference_shift"),
    "innovation": Scenario("innovation_first", shocks="talent_poaching"),
    "outage": Scenario("article", shocks=("hub_outage", "efficiency_jump")),
    "squeeze": Scenario("article_plus", shocks=("fiscal_squeeze", "demand_surge")),
    "several": Scenario(("article_demand", "output_only", "green_first")),
    "mixed": Scenario(("diffusion", "article_ecosystem"), shocks=("power_crunch", "ai_winter")),
    "glut": Scenario(
        "history", parameters={"national_build_sensitivity": 3, "use_weight": 0.9, "hype": 0}
    ),
    "placed": Scenario(
        ("article", "output_only"),
        instruments=[
            {"name": "compute_voucher", "users": "lanzhou", "compute": ["lanzhou", "hub"]},
            {"name": "compute_voucher", "rate": 0.2, "envelope": 60},
            {"name": "capital_subsidy", "place": "lanzhou", "eligible": "shells"},
            {"name": "capital_subsidy", "rate": 0.05, "envelope": 300},
            {"name": "even_diffusion", "place": "lanzhou", "start": "2027Q1"},
            {"name": "even_diffusion", "rate": 0.2, "envelope": 80, "start": "2027Q1"},
            {"name": "output_subsidy", "place": "hub"},
            {"name": "tariff_discount", "place": ["lanzhou", "jinchang"], "rate": 0.3},
            {"name": "industrial_centres", "place": "jinchang"},
            {"name": "occupancy_gate", "place": "lanzhou"},
            {"name": "hub_steering", "place": "lanzhou", "end": "2026Q4"},
            {"name": "hub_steering", "active": False, "start": "2027Q1"},
            {"name": "hub_readiness", "place": ["hub", "lanzhou"]},
            {"name": "hub_readiness", "spending": 100, "place": "jinchang"},
            {"name": "anchor_tenants", "place": "lanzhou"},
            {"name": "second_ring_quality", "place": "hub"},
            {"name": "strong_industry", "place": "jinchang"},
            {"name": "strong_industry", "spending": 50},
            {"name": "green_standard", "place": "hub", "start": "2026Q1"},
        ],
        name="placed",
    ),
    "broke": Scenario("article"),
    "record": Scenario(("article", "output_only")),
    "extreme market": Scenario(("article_plus", "green_first")),
    "extreme society": Scenario("article_ecosystem"),
}
CHANGES: dict[str, Callable[[Setting], Setting]] = {
    "broke": poor,
    "record": on_record,
    "extreme market": lambda setting: with_parameters(setting, MARKET),
    "extreme society": lambda setting: with_parameters(setting, SOCIETY),
}
EARLY, LATE = (0, 3, 6, 11, 16, 20), (22, 23, 27, 28, 29, 33, 36)
"""Quarters that are compared: until packages differ, and around the start of shocks (t = 28)."""


@cache
def setting_of(name: str, seed: int, world: str = "teaching", runs: int = 2) -> Setting:
    """Return a setting in which every run has its own draw of all uncertain parameters."""
    setting = make_setting(resolve(SCENARIOS[name]), load_world(world), seed, range(runs))
    return CHANGES.get(name, lambda same: same)(setting)


@cache
def state_of(name: str, seed: int, period: int, world: str = "teaching", runs: int = 2) -> State:
    """Return the state of a scenario at the start of a quarter.

    To the first quarter of the packages it is that of the history, which is run once for a seed:
    so it is for packages, and for changed settings any state will do. The entries of ``placed``
    have columns of their own, so it has a past of its own, of the same numbers.
    """
    if period <= FIRST_POLICY_QUARTER and name not in ("history", "placed"):
        return state_of("history", seed, period, world, runs)
    if period == 0:
        return initial_state(setting_of(name, seed, world, runs))
    before = state_of(name, seed, period - 1, world, runs)
    return step(before, setting_of(name, seed, world, runs))[0]


def quarters(
    name: str, seed: int, chosen: tuple[int, ...] = LATE, runs: int = 2
) -> Iterator[tuple[Quarter, State, Setting]]:
    """Yield the chosen quarters of a scenario and the states after them."""
    setting = setting_of(name, seed, runs=runs)
    for t in chosen:
        after, quarter = step(state_of(name, seed, t, runs=runs), setting)
        yield quarter, after, setting

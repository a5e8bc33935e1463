"""Settings beyond the tables, run by run, so that both models take branches no draw reaches."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ecosystem.state.setting import Parameters, Setting

MARKET = {
    "pooled_share": (1.0, 0.15, 0.0),
    "lumpy_projects": (0.0, 1.0, 0.0),
    "mark_speed": (5.0, 0.1, 5.0),
    "footloose_share": (0.02, 0.5, 0.3),
    "national_build_sensitivity": (20.0, 20.0, 20.0),
    "second_ring_pue_gain": (3.0, 0.3, 0.0),
    "green_pue_gain": (5.0, 0.2, 0.0),
    "hub_linkage_maximum": (4.0, 1.0, 0.0),
    "hub_linkage_effectiveness": (1.5, 1.0, 1.0),
    "hub_linkage_scale": (1.0, 60.0, 60.0),
    "substitution_share": (1.0, 0.3, 0.5),
    "latency_insensitive_first_maximum": (4.0, 1.0, 0.0),
    "latency_insensitive_first_effectiveness": (1.5, 1.0, 1.0),
    "latency_insensitive_first_scale": (1.0, 10.0, 10.0),
    "anchor_tenants_maximum": (0.3, 0.01, 0.0),
    "corridor_latency_gain": (20.0, 3.0, 0.0),
    "neighbour_share": (1.0, 0.05, 0.0),
    "overflow_takeup_maximum": (3.0, 0.3, 0.0),
    "settlement_floor": (0.9, 0.0, 0.6),
}
SOCIETY = {
    "replicator_speed": (5.0, 0.1, 1.0),
    "talent_departure_response": (50.0, 0.5, 0.0),
    "lead_firm_scale": (1.0, 300.0, 30.0),
    "maker_input_share": (0.02, 1.2, 0.5),
    "park_goods_share": (0.7, 1.2, 0.2),
    "government_compute_share": (0.0, 0.01, 0.001),
    "research_purchase_share": (1.0, 0.0, 0.3),
    "branch_rate": (300.0, 9.0, 0.0),
    "anchor_knowledge_gain": (900.0, 50.0, 0.0),
}


def with_parameters(setting: Setting, values: dict[str, tuple[float, ...]]) -> Setting:
    """Return the setting with one value a run for some parameters."""
    columns = {name: column[:, 0] for name, column in setting.parameters._columns.items()}
    given = {name: np.array(value[: setting.runs]) for name, value in values.items()}
    return replace(setting, parameters=Parameters(columns | given))


def on_record(setting: Setting) -> Setting:
    """Return the setting with some transfers on record and others paid by one level alone."""
    plan = setting.schedule
    observed, split = plan.observed.copy(), plan.split.copy()
    observed[:, [plan.column("tariff_discount"), plan.column("output_subsidy")]] = True
    split[plan.column("capital_subsidy")] = 0.0, 1.0, 0.0
    split[plan.column("compute_voucher")] = 0.5, 0.0, 0.5
    return replace(setting, schedule=replace(plan, observed=observed, split=split))


def poor(setting: Setting) -> Setting:
    """Return the setting with programmes beyond the means of the province."""
    plan = setting.schedule
    return replace(setting, schedule=replace(plan, spending=30 * plan.spending))

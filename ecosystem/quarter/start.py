"""The state of all runs at the start of the first quarter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from ecosystem.inputs.calendar import POLICY_START, mid_year
from ecosystem.inputs.draws import draw_parameters, drawn_luck, drawn_values
from ecosystem.inputs.functions import STAGES
from ecosystem.inputs.scenario import ResolvedScenario
from ecosystem.inputs.schedule import build_schedule
from ecosystem.inputs.shocks import shock_paths
from ecosystem.inputs.world.loader import World
from ecosystem.maths.arrays import Array, safe_ratio
from ecosystem.maths.chance import Chance
from ecosystem.maths.clearing import spread
from ecosystem.maths.kernels import HOURS
from ecosystem.quarter.rules import rules_of
from ecosystem.stages.drivers import national_capacity_table, new_power, unit_costs
from ecosystem.stages.innovation import supplier_variety
from ecosystem.stages.labour import staff_for_sales
from ecosystem.stages.supply_chain import initial_cumulative
from ecosystem.state import state as agents
from ecosystem.state.setting import Parameters, Setting

HALL_QUARTERS, SERVER_QUARTERS = 3, 2  # from order to arrival
LAGS = 4  # quarters that are remembered


def make_setting(
    scenario: ResolvedScenario,
    world: World,
    seed: int,
    replicates: Sequence[int],
    fixed_parameters: bool = False,
    points: Mapping[str, Array] | None = None,
    draws: pd.DataFrame | None = None,
) -> Setting:
    """Return what the runs of a chunk are given from outside.

    Run r carries the parameter draw and the luck of its replicate, whatever the scenario, or those
    of row r of `draws`; values of `points`, (runs,) each, stand above scenario and draw.
    """
    drawn, past = ({}, None) if draws is None else (drawn_values(draws), drawn_luck(draws))
    chance = Chance(seed, replicates, future_from=POLICY_START, past=past)
    given: dict[str, float | Array] = {**drawn, **scenario.parameters, **(points or {})}
    luck = Chance(seed, replicates)
    parameters = Parameters(draw_parameters(luck, fixed_parameters, given))
    return Setting(
        world=world,
        parameters=parameters,
        schedule=build_schedule(scenario),
        shocks=shock_paths(scenario),
        chance=chance,
        national_table=national_capacity_table(world, parameters),
        rules=rules_of(hook for hook in scenario.hooks if hook.stage not in STAGES),
        hooks=tuple(hook for hook in scenario.hooks if hook.stage in STAGES),
    )


def initial_state(setting: Setting) -> agents.State:
    """Return the state at the start of 2020Q1 from the world and the parameters."""
    centres, firms = initial_centres(setting), initial_firms(setting)
    return agents.State(
        period=0,
        nation=initial_nation(setting),
        governments=initial_governments(setting),
        centres=centres,
        makers=initial_makers(setting),
        universities=agents.Universities(
            knowledge=every_run(setting.world.universities.knowledge, setting),
            cash=zeros(setting, setting.world.universities.count),
        ),
        firms=firms,
        parks=agents.Parks(
            adoption=every_run(setting.world.parks.adoption, setting),
            servers=zeros(setting, setting.world.parks.count),
            opening_purchases=zeros(setting, setting.world.parks.count),
            cash=zeros(setting, setting.world.parks.count),
        ),
        buyers=initial_buyers(setting),
        society=initial_society(centres, firms, setting),
        sectors=agents.Sectors(*(zeros(setting, 1) for _ in range(4))),
    )


def every_run(values: Array, setting: Setting) -> Array:
    """Return world values repeated for every run."""
    return np.repeat(np.asarray(values, dtype=float)[None], setting.runs, axis=0)


def zeros(setting: Setting, *shape: int) -> Array:
    """Return zeros of shape (runs, ...)."""
    return np.zeros((setting.runs, *shape))


def initial_nation(setting: Setting) -> agents.Nation:
    """Return the national market; the past is the first quarter's growth run backwards."""
    now, after = setting.national_table[:, 0], setting.national_table[:, 1]
    past = [now * (now / after) ** lag for lag in range(1, LAGS + 1)]
    ratio = setting.by_kind("demand_ratio_start")
    return agents.Nation(
        capacity=now,
        capacity_history=np.stack(past, axis=1),
        demand_ratio=ratio,
        use=ratio,
        use_2024=ratio,
        rival_use=ratio,
        power=new_power(setting, mid_year(0)),
    )


def initial_governments(setting: Setting) -> agents.Governments:
    """Return governments that owe nothing and have paid everything."""
    places, count = setting.world.prefectures, len(setting.schedule.names)
    return agents.Governments(
        readiness=every_run(places.readiness, setting),
        ambition=every_run(places.ambition, setting),
        activity=zeros(setting, places.count),
        growth=zeros(setting, places.count),
        match=zeros(setting, places.count) + 1,
        match_last_year=zeros(setting, places.count) + 1,
        paid_share=zeros(setting, count) + 1,
        envelope_weight=zeros(setting, count) + 1,
        claimed=zeros(setting, count),
        paid=zeros(setting, count),
        receipts=zeros(setting, LAGS),
        receipts_before=zeros(setting, 1),
        receipts_reference=zeros(setting, 1),
        advantage=zeros(setting, LAGS),
        diffusion=zeros(setting, 1),
        cash=zeros(setting, places.count + 2),
    )


COLUMNS = ("paid_share", "envelope_weight", "claimed", "paid")
"""What governments remember of each column of the schedule."""


def with_columns(state: agents.State, setting: Setting) -> agents.State:
    """Return a past's state with all columns of a schedule: of those not in it nothing is known."""
    old, new = state.governments, initial_governments(setting)
    wider = {
        name: np.concatenate(
            [getattr(old, name), getattr(new, name)[:, getattr(old, name).shape[1] :]], axis=1
        )
        for name in COLUMNS
    }
    return replace(state, governments=replace(old, **wider))


def initial_centres(setting: Setting) -> agents.Centres:
    """Return centres with the servers of the world table in halls of the usual fill."""
    world, p = setting.world, setting.parameters
    centres, year = world.centres, mid_year(0)
    servers = every_run(centres.servers, setting)
    power = spread(new_power(setting, year), centres.kind)
    nameplate = servers / p.initial_fill
    server_cost, hall_cost = unit_costs(setting, year)
    book_servers = p.opening_book * spread(server_cost, centres.kind) * servers
    book_halls = spread(hall_cost, centres.kind) * nameplate
    book = book_servers + book_halls
    use = spread(setting.by_kind("demand_ratio_start"), centres.kind) * (servers > 0)
    luck = setting.chance.normal("service quality", 0, centres.count)
    quality = np.exp(p.quality_log_sd * spread(luck, centres.order) - 0.5 * p.quality_log_sd**2)
    tenants = p.tenant_sd * spread(
        setting.chance.normal("first tenants", 0, centres.count), centres.order
    )
    prior = p.use_prior_capacity
    stands = centres.sum(servers, "cell")
    fill = (stands + prior * p.neutral_fill) / (stands / p.initial_fill + prior)
    return agents.Centres(
        halls=nameplate * power / 1000,
        halls_pipeline=zeros(setting, HALL_QUARTERS, centres.count),
        servers=servers,
        server_pipeline=zeros(setting, SERVER_QUARTERS, centres.count),
        nameplate=nameplate,
        power=power,
        pue=every_run(centres.pue, setting),
        mark=zeros(setting, centres.count),
        sold=use * servers * HOURS,
        use=use,
        fill_history=np.repeat(fill[:, None], LAGS, axis=1),
        quality=quality,
        tenants=tenants,
        book_servers=book_servers,
        book_halls=book_halls,
        real_servers=book_servers,
        real_halls=book_halls,
        loan=p.opening_loan * p.local_settlement * book,
        cash=p.opening_cash * book,
        insolvent=zeros(setting, centres.count),
    )


def initial_makers(setting: Setting) -> agents.Makers:
    """Return makers at their target use with the experience of past output."""
    p, world = setting.parameters, setting.world
    capacity = every_run(world.makers.capacity, setting)
    return agents.Makers(
        capacity=capacity,
        cumulative=initial_cumulative(setting),
        cost=np.ones_like(capacity),
        sales=p.maker_target_use * capacity,
        cash=np.zeros_like(capacity),
        local_share=p.stack("home_preference", world.stages),
    )


def initial_firms(setting: Setting) -> agents.Firms:
    """Return the AI firms of the start, lognormal in sales and knowledge, staffed for both."""
    p, world = setting.parameters, setting.world
    firms = world.firms
    active = every_run(firms.initial, setting)
    size, wisdom = (
        spread(setting.chance.normal(process, 0, firms.count), firms.order)
        for process in ("first sales", "first knowledge")
    )
    sd = p.initial_sales_log_sd
    sales = active * p.initial_sales * np.exp(sd * size - 0.5 * sd**2)
    knowledge = active * np.exp(p.initial_knowledge_log_sd * wisdom)
    research, wage = p.research_intensity * sales, world.prefectures.wage
    staff = staff_for_sales(p.of_run, sales, knowledge, research, wage, firms.prefecture)
    return agents.Firms(
        active=active,
        age=active * p.young_quarters,
        knowledge=knowledge,
        research=research / p.research_depreciation,
        staff=staff,
        share=safe_ratio(sales, spread(world.firms.sum(sales, "domain"), firms.domain)),
        sales=sales,
        orders=sales,
        compute=np.zeros_like(sales),
        cash=p.initial_cash_quarters * sales,
        generation=active,
    )


def initial_buyers(setting: Setting) -> agents.Buyers:
    """Return buyers at reference prices with little experience of the province."""
    shape = (setting.world.regions.count, setting.world.workloads.count)
    experience = zeros(setting, *shape) + setting.parameters.initial_experience[:, :, None]
    return agents.Buyers(
        experience=experience, price=zeros(setting, *shape) + 1, noise=zeros(setting, *shape)
    )


def initial_society(
    centres: agents.Centres, firms: agents.Firms, setting: Setting
) -> agents.Society:
    """Return talent and wages of the world table and the first deployments.

    Branches follow what is added to the servers of the start. Where a domain has no firm yet, one
    of ordinary knowledge stands for those against which later ones are measured.
    """
    quality = setting.world.firms.sum(firms.share * firms.knowledge, "domain")
    variety = supplier_variety(firms, setting)
    places, domains = setting.world.prefectures, setting.world.domains.count
    start = setting.parameters.deployment_start[:, :, None]
    return agents.Society(
        talent=every_run(places.talent, setting),
        wage=every_run(places.wage, setting),
        tightness=zeros(setting, places.count),
        deployment=zeros(setting, places.count, domains) + start,
        quality_start=np.where(variety > 0, quality, 1.0),
        variety_start=np.where(variety > 0, variety, 1.0),
        branches=zeros(setting, places.count),
        branch_peak=setting.world.centres.sum(centres.servers * centres.power / 1000, "prefecture"),
    )

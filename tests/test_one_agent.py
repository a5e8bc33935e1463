"""One agent at a time by hand: what a stage does to it, from the sentence in docs/model.md.

Each case takes a quarter of the teaching world, picks one agent and computes its number with plain
arithmetic. What is hard to follow by hand (routing, dispatch, location, budgets, settlement, exits
and accounts) has a slow reference of its own, `tests/reference/`.
"""

import math
from types import SimpleNamespace

import numpy as np
from helpers import setting_of
from one_agent import PLACE, RUN, Case, case, productivity, same
from reference.closed_forms import logistic, profitability

from ecosystem.inputs.calendar import mid_year
from ecosystem.inputs.scenario import Scenario
from ecosystem.maths.kernels import HOURS
from ecosystem.quarter.start import initial_state
from ecosystem.stages.drivers import drive
from ecosystem.state.records import Quarter

# S0


def test_prices_costs_and_power_halve_in_their_time() -> None:
    c, d = case(), case().quarter.drivers
    years = mid_year(c.state.period) - c.p("price_reference_year")
    general, intelligent = (c.world.kinds.index(name) for name in ("general", "intelligent"))
    work = c.world.workloads
    for k, name in ((general, "general"), (intelligent, "intelligent")):
        mean = []
        for year in (c.p("price_reference_year"), mid_year(c.state.period)):
            first = real_time_share(c, year)
            paid = 0.0
            for w in np.flatnonzero(work.kind == k):
                mix = work.share_within_kind[w]
                if work.intelligent[w]:
                    mix = first if work.real_time[w] else (1 - first) * mix
                paid += mix * work.price_multiplier[w]
            mean.append(paid)
        rent = c.p(f"price_to_cost_{name}") * c.p(f"server_cost_{name}")
        fallen = 2 ** (-years / c.p(f"price_halving_time_{name}"))
        same(d.price[RUN, k], rent / mean[0] * fallen)
        same(d.multiplier[RUN, k], mean[1])
    cost = c.p("server_cost_general") * 2 ** (-years / c.p("price_halving_time_general"))
    same(d.server_cost[RUN, general], cost)
    same(d.hall_cost[RUN, general], c.p("hall_cost_share") * cost)
    halls = c.p("hall_cost_intelligent") * 2 ** (-years / c.p("power_halving_time_intelligent"))
    same(d.hall_cost[RUN, intelligent], halls)
    power = c.p("power_super") * 2 ** (-years / c.p("power_halving_time_super"))
    same(d.power[RUN, c.world.kinds.index("super")], power)


def real_time_share(c: Case, year: float) -> float:
    """Return the share of intelligent work in real time, without shocks."""
    speed, middle = c.p("real_time_share_speed"), c.p("real_time_share_midpoint")
    start, end = c.p("real_time_share_start"), c.p("real_time_share_end")
    return start + (end - start) * logistic(speed * (year - middle))


def test_demand_of_one_region_and_workload() -> None:
    c, d = case(), case().quarter.drivers
    work, region = c.world.workloads, int(np.flatnonzero(~c.world.regions.home)[0])
    inference = real_time_share(c, mid_year(c.state.period))
    same(d.real_time_share[RUN, 0], inference)
    fading, sd = c.p("demand_noise_persistence"), c.p("demand_noise_sd")
    before = c.state.buyers.noise[RUN, region, 0]
    new = c.setting.chance.normal("demand", c.state.period, c.state.buyers.noise[0].size)[RUN]
    faded = fading * before + sd * math.sqrt(1 - fading**2) * new[region * work.count]
    same(d.noise[RUN, region, 0], faded)
    for w in range(work.count):
        kind = int(work.kind[w])
        mix = work.share_within_kind[w]
        if work.intelligent[w]:
            mix = inference if work.real_time[w] else (1 - inference) * mix
        tabled = c.setting.national_table[RUN, c.state.period, kind]
        wanted = c.state.nation.demand_ratio[RUN, kind] * tabled * HOURS * mix
        dear = c.state.buyers.price[RUN, region, w] ** -c.p("demand_elasticity")
        luck = math.exp(d.noise[RUN, region, w] - c.p("demand_noise_sd") ** 2 / 2)
        same(d.demand[RUN, region, w], c.world.regions.demand_share[region] * wanted * dear * luck)


def test_the_ratio_of_demand_and_the_national_build() -> None:
    c, d = case(), case().quarter.drivers
    ratio = c.state.nation.demand_ratio[RUN, 0]
    growth = c.p("demand_ratio_growth") / 4
    brake = max(1 - ratio / c.p("demand_ratio_saturation"), 0) if growth > 0 else 1.0
    same(d.demand_ratio_next[RUN, 0], ratio * math.exp(growth * brake))
    table, t = c.setting.national_table[RUN], c.state.period
    general = d.capacity[RUN, 0] * table[t + 1, 0] / table[t, 0]
    same(d.capacity_next[RUN, 0], general)  # only investors in intelligent compute may not build
    early = case("history", 10)
    expected = early.setting.national_table[RUN, 11]
    np.testing.assert_array_equal(early.quarter.drivers.capacity_next[RUN], expected)


def test_capacity_goes_through_the_published_year_ends() -> None:
    plain = setting_of("history", national_growth_scale=1.0)
    for i, kind in enumerate(plain.world.kinds):
        path = plain.world.national_path[kind]
        for year, capacity in zip(path.year, path.capacity, strict=True):
            at = 4 * (int(year) - 2020) + 4
            if 0 <= at < plain.national_table.shape[1]:
                same(plain.national_table[0, at, i], capacity)


def test_capacity_beyond_what_is_published() -> None:
    """After the last observed year growth leaves its forecast by a factor that fades, year by year.

    Beyond the last forecast it fades to its last rate.
    """
    setting = setting_of("history", replicates=(0, 1), fixed=False)
    p = {name: float(setting.parameters[name][RUN, 0]) for name in setting.parameters._columns}
    missed, fading = p["national_growth_scale"] - 1, p["national_growth_fading_time"]
    rate = math.log(2) / p["national_growth_halving_time"]
    for i, kind in enumerate(setting.world.kinds):
        path = setting.world.national_path[kind]
        logs, seen = [math.log(value) for value in path.capacity], path.last_observed
        at, years = 4 * (int(path.year[-1]) - 2020) + 4, 2
        known, ages = logs[seen], [int(year - path.year[seen]) for year in path.year[seen:]]
        for k in range(len(ages) - 1):
            span = ages[k + 1] - ages[k]
            lasts = (math.exp(-rate * ages[k]) - math.exp(-rate * ages[k + 1])) / rate
            known += (logs[seen + k + 1] - logs[seen + k]) * (1 + missed * lasts / span)
        same(setting.national_table[RUN, at, i], math.exp(known))
        start = (logs[-1] - logs[-2]) / (path.year[-1] - path.year[-2])
        start *= 1 + missed * math.exp(-rate * ages[-1])
        final = p["money_market_growth"] + math.log(2) / p[f"price_halving_time_{kind}"]
        grown = final * years + (start - final) * fading * (1 - math.exp(-years / fading))
        same(setting.national_table[RUN, at + 4 * years, i], math.exp(known + grown))


def test_the_range_of_national_growth_holds_what_was_seen() -> None:
    """Growth of 2022 to 2024 was .47 to .56 a year; the forecasts for 2028 are not torn apart.

    5 and 95 % of 1,000 draws, whose sampling error is below .01: no false alarm to speak of.
    """
    setting = setting_of("history", replicates=range(1000), fixed=False)
    k = setting.world.kinds.index("intelligent")
    logs = np.log(setting.national_table[:, 4::4, k])  # at the ends of 2020, 2021, ...
    growth = dict(zip(range(2021, 2036), np.diff(logs).T, strict=False))
    first, last = (np.quantile(growth[year], (0.05, 0.95)) for year in (2025, 2028))
    assert first[0] < 0.47 and first[1] >= 0.54
    assert last[0] >= 0.28 and last[1] <= 0.45


def test_the_nation_builds_less_where_less_is_earned() -> None:
    c, d, k = case(), case().quarter.drivers, case().world.kinds.index("intelligent")
    table, t, nation = c.setting.national_table[RUN, :, k], c.state.period, c.state.nation

    def worth(use: float, hype: float, growth: float) -> float:
        hyped = min(1.0, c.p("target_use") * (1 + hype * growth))
        server = float(d.server_cost[RUN, k])
        power = c.p("rival_pue") * c.p("rival_electricity_price")
        return profitability(
            SimpleNamespace(interest_rate=c.p("interest_rate"), profit_floor=c.p("profit_floor")),
            price=float(d.price[RUN, k] * d.multiplier[RUN, k]) * (1 - c.p("operating_cost_share")),
            variable_cost=float(d.power[RUN, k]) * power,
            use=c.p("use_weight") * use + (1 - c.p("use_weight")) * hyped,
            capital=server + float(d.hall_cost[RUN, k]) / c.p("expected_fill"),
            upkeep=c.p("maintenance_share") * server,
            depreciation=c.p("server_depreciation_intelligent"),
            price_fall=c.p("foresight") * math.log(2) / c.p("price_halving_time_intelligent"),
        )

    same(d.growth[RUN, k], math.log(d.capacity[RUN, k] / nation.capacity_history[RUN, -1, k]))
    now = worth(nation.use[RUN, k], c.p("hype"), d.growth[RUN, k])
    then = worth(nation.use_2024[RUN, k], c.p("hype_reference"), math.log(table[t] / table[t - 4]))
    reaction = (now / then) ** c.p("national_build_sensitivity")
    reaction = min(max(reaction, c.p("national_build_low")), c.p("national_build_high"))
    exempt = c.p("soft_build_share") * c.p("soft_budget")
    worn = c.p("server_depreciation_intelligent") * d.capacity[RUN, k]
    built = (d.capacity[RUN, k] * (table[t + 1] / table[t] - 1) + worn) * (
        exempt + (1 - exempt) * reaction
    )
    same(d.capacity_next[RUN, k], d.capacity[RUN, k] + built - worn)


def test_what_drivers_make_of_shocks() -> None:
    """From one state, with and without: demand, mix, build, prices, what open models give."""
    c, t = case(), case().state.period
    names = "demand_surge efficiency_jump inference_shift accelerator_export_control power_crunch"
    shaken = setting_of(
        Scenario("article", shocks=(*names.split(), "rival_price_war")),
        replicates=(0, 1),
        fixed=False,
    )
    d, calm = drive(Quarter(c.state), shaken), case().quarter.drivers
    shock = {name: float(path[t]) for name, path in shaken.shocks.items()}
    assert sum(abs(size - 1) > 0.01 for size in shock.values()) >= 7
    share = calm.real_time_share[RUN, 0]
    mixed = share + (shock["inference"] - 1) * (1 - share)
    same(d.real_time_share[RUN, 0], mixed)
    region = int(np.flatnonzero(~c.world.regions.home)[0])
    dear = shock["accelerators"] ** -c.p("rent_scarcity")
    tasks = shock["demand"] * shock["efficiency"] ** (c.p("demand_elasticity") - 1)
    tasks *= dear ** -c.p("demand_elasticity")
    for w in range(c.world.workloads.count):
        moved = 1.0
        if c.world.workloads.intelligent[w]:
            first = c.world.workloads.real_time[w]
            moved = tasks * (mixed / share if first else (1 - mixed) / (1 - share))
        same(d.demand[RUN, region, w], calm.demand[RUN, region, w] * moved)
    k = c.world.kinds.index("intelligent")
    worn = c.p("server_depreciation_intelligent") * d.capacity[RUN, k]
    held = Scenario("article", shocks=("accelerator_export_control",))
    short = drive(Quarter(c.state), setting_of(held, replicates=(0, 1), fixed=False))
    built = [each.capacity_next[RUN, k] - d.capacity[RUN, k] + worn for each in (calm, short)]
    same(built[1], built[0] * shock["accelerators"])
    for kind, name in enumerate(c.world.kinds):
        scarce = shock["accelerators"] if name == "intelligent" else 1.0
        same(d.accelerators[kind], scarce)
        same(d.server_price[RUN, kind], scarce ** -c.p("server_price_scarcity"))
        same(d.price[RUN, kind], calm.price[RUN, kind] * (dear if scarce < 1 else 1))
        usual = d.server_cost[RUN, kind] / d.server_price[RUN, kind]
        same(calm.server_cost[RUN, kind], usual)
    same(d.rival_price[RUN, 0], c.p("rival_price") * shock["rival_price"])
    tariff = c.world.prefectures.electricity_price[PLACE]
    same(d.electricity[PLACE], tariff * shock["electricity"])
    year = mid_year(t)
    passed = (year - c.p("open_source_from")) / (c.p("open_source_to") - c.p("open_source_from"))
    floor = c.p("open_source_start") * (1 - min(max(passed, 0), 1))
    floor += c.p("open_source_end") * min(max(passed, 0), 1)
    same(calm.open_source[RUN, 0], floor)
    same(d.open_source[RUN, 0], floor + c.p("open_source_surge") * (shock["open_source"] - 1))
    cleaner = c.p("grid_decarbonisation") * 4 * (year - c.p("grid_reference_year"))
    same(d.grid_decline[RUN, 0], math.exp(-cleaner))


# S1


def test_a_lever_readiness_and_ambition() -> None:
    c, policy, g = case(), case().quarter.policy, case().state.governments
    column = c.setting.schedule.column("regional_pairing")
    spent = 4 * policy.programme_paid[RUN, column]
    most = c.p("regional_pairing_maximum") * c.p("regional_pairing_effectiveness")
    same(c.lever("regional_pairing"), most * (1 - math.exp(-spent / c.p("regional_pairing_scale"))))
    ready, works = g.readiness[RUN, PLACE], policy.infrastructure[RUN, PLACE]
    gain = (1 - ready) * (1 - math.exp(-works / c.p("readiness_investment_scale")))
    kept = ready - c.p("readiness_depreciation") * ready
    same(policy.readiness_next[RUN, PLACE], kept + gain)
    behind = max(g.growth[RUN]) - g.growth[RUN, PLACE]
    faded = (1 - c.p("ambition_fading")) * g.ambition[RUN, PLACE]
    same(policy.ambition_next[RUN, PLACE], min(faded + c.p("ambition_gain") * behind, 1.0))


# S3


def test_one_maker_learns_and_expands() -> None:
    c, supply, m = case(), case().quarter.supply, case().state.makers
    stages, makers = c.world.stages, c.world.makers
    i = int(np.flatnonzero(makers.stage == stages.index("packaging"))[0])
    sales, capacity = supply.sales[RUN, i], m.capacity[RUN, i]
    expected = m.sales[RUN, i] + c.p("sales_adaptation") * (sales - m.sales[RUN, i])
    same(supply.expected_next[RUN, i], expected)
    kept = capacity * (1 - c.p("maker_depreciation"))
    speed = c.p("maker_expansion_speed")
    speed *= 1 + c.p("chain_expansion_gain") * c.lever("equipment_chain")
    added = speed * max(expected / c.p("maker_target_use") - kept, 0)
    cost = c.p("maker_capital_intensity") * added
    worth = c.p("maker_capital_intensity") * capacity + m.cash[RUN, i]
    means = max(m.cash[RUN, i], 0) + c.p("leverage_maker") * max(worth, 0)
    part = min(1.0, means / cost) if cost > 0 else 1.0
    same(supply.investment[RUN, i], cost * part)
    same(supply.capacity_next[RUN, i], kept + added * part)
    first = c.p("initial_experience_quarters") * c.p("maker_target_use") * makers.capacity[i]
    made = m.cumulative[RUN, i] + sales
    exponent = c.p("learning_exponent_packaging") * c.p("learning_scale")
    theirs = makers.stage == stages.index("materials")
    inputs = np.average(m.cost[RUN, theirs], weights=m.capacity[RUN, theirs])
    dear = 1 + c.p("input_cost_share") * (inputs - 1)
    same(supply.cost_next[RUN, i], (made / first) ** -exponent * dear)


def test_orders_of_equipment_and_what_is_bought_at_home() -> None:
    c, supply, m = case(), case().quarter.supply, case().state.makers
    spent = c.quarter.investment.server_outlay[RUN].sum()
    bought = ("communications", "servers", "cooling")
    whole = sum(c.p(f"equipment_share_{name}") for name in bought)
    for name in bought:
        s = c.world.stages.index(name)
        same(supply.orders[RUN, s], spent * c.p(f"equipment_share_{name}") / whole)
        here = c.world.makers.stage == s
        cost = np.average(m.cost[RUN, here], weights=m.capacity[RUN, here])
        cost *= 1 - c.lever("equipment_chain")
        at_home = c.p(f"home_preference_{name}") * cost ** (1 - c.p("armington_elasticity"))
        same(supply.local_share[RUN, s], at_home / (at_home + 1 - c.p(f"home_preference_{name}")))
    sold = {name: supply.local_sales[RUN, c.world.stages.index(name)] for name in bought}
    chip = c.p("packaging_content") * c.p("packaging_home_share")
    chip *= sold["communications"] + sold["servers"]
    years = mid_year(c.state.period) - c.world.national_path["intelligent"].year[0]
    outside = c.p("outside_demand_packaging") * math.exp(c.p("outside_demand_growth") * years)
    s = c.world.stages.index("packaging")
    packed = supply.sales[RUN, c.world.makers.stage == s].sum()
    same(supply.intermediate[RUN, s], packed * chip / (chip + outside))
    same(supply.exports[RUN, s], packed * outside / (chip + outside))


# From the quarter to the next state


def test_the_next_state_holds_what_the_stages_decided() -> None:
    c, q, new = case(), case().quarter, case().after
    old, t = c.state, c.state.period
    assert new.period == t + 1
    np.testing.assert_array_equal(new.nation.capacity_history[:, 0], old.nation.capacity)
    np.testing.assert_array_equal(
        new.nation.capacity_history[:, 1:], old.nation.capacity_history[:, :-1]
    )
    np.testing.assert_array_equal(new.centres.fill_history[:, 0], q.investment.fill)
    np.testing.assert_array_equal(new.centres.mark, q.market.mark_next)
    np.testing.assert_array_equal(new.makers.sales, q.supply.expected_next)
    np.testing.assert_array_equal(new.governments.readiness, q.policy.readiness_next)
    received = q.accounts.local_receipts[RUN, 0]
    same(new.governments.receipts[RUN, 0], received)
    weight = np.array([c.p(f"headline_weight_{kind}") for kind in c.world.kinds])
    here = c.world.centres.prefecture == PLACE
    sold = (q.market.sold[RUN] / HOURS * weight[c.world.centres.kind])[here].sum()
    same(new.governments.activity[RUN, PLACE], sold)
    floor = c.p("activity_floor")
    before = old.governments.activity[RUN, PLACE]
    same(new.governments.growth[RUN, PLACE], math.log((sold + floor) / (before + floor)))
    met, mean = q.policy.match[RUN, PLACE], old.governments.match[RUN, PLACE]
    same(new.governments.match[RUN, PLACE], mean + (met - mean) / (t % 4 + 1))
    first = 0 if t % 4 == 0 else 1
    claimed = q.accounts.settlement.claimed[RUN] + first * old.governments.claimed[RUN]
    np.testing.assert_allclose(new.governments.claimed[RUN], claimed, rtol=1e-12)


def test_firms_that_stay_leave_and_are_born() -> None:
    c, q, new, old = case(), case().quarter, case().after.firms, case().state.firms
    born, gone, t = q.business.born[RUN] > 0, q.business.exits[RUN] > 0, case().state.period
    assert born.any() and gone.any()
    stays = (old.active[RUN] > 0) & ~gone
    np.testing.assert_array_equal(new.active[RUN] > 0, stays | born)
    np.testing.assert_array_equal(new.age[RUN], np.where(stays, old.age[RUN] + 1, 0))
    np.testing.assert_array_equal(new.generation[RUN], old.generation[RUN] + born)
    np.testing.assert_allclose(new.staff[RUN, born], c.p("smallest_staff"))
    np.testing.assert_array_equal(new.knowledge[RUN, born], q.business.founders[RUN, born])
    for j in range(c.world.domains.count):
        mine = c.world.firms.domain == j
        known = old.knowledge[RUN, mine & (old.active[RUN] > 0)].mean()
        ahead = (q.business.founders[RUN] / known) ** c.p("competition_exponent")
        entrant = c.p("entrant_share") * ahead / max(new.active[RUN, mine].sum(), 1)
        raw = np.where(stays, q.business.share[RUN], 0) + np.where(born, entrant, 0)
        np.testing.assert_allclose(new.share[RUN, mine], raw[mine] / raw[mine].sum(), rtol=1e-12)
        won = entrant * q.business.pool[RUN, j]
        orders = np.where(stays, q.business.orders[RUN], born * won)
        np.testing.assert_allclose(new.orders[RUN, mine], orders[mine], rtol=1e-12)
        able = c.p("smallest_staff") * productivity(c, q.business.founders[RUN], t)
        sales = np.where(stays, q.business.sales[RUN], born * np.minimum(won, able))
        np.testing.assert_allclose(new.sales[RUN, mine], sales[mine], rtol=1e-12)


# The first quarter


def test_the_state_at_the_start() -> None:
    setting = setting_of("history", replicates=(0, 1), fixed=False)
    state, world = initial_state(setting), setting.world
    c = Case.__new__(Case)
    c.setting = setting
    centres, rows = state.centres, world.centres
    i = int(np.flatnonzero(rows.intelligent & (rows.servers > 0))[0])
    years = mid_year(0) - c.p("price_reference_year")
    power = c.p("power_intelligent") * 2 ** (-years / c.p("power_halving_time_intelligent"))
    carried = rows.servers[i] / c.p("initial_fill")
    same(centres.halls[RUN, i], carried * power / 1000)
    cost = c.p("server_cost_intelligent") * 2 ** (-years / c.p("price_halving_time_intelligent"))
    same(centres.book_servers[RUN, i], c.p("opening_book") * cost * rows.servers[i])
    hall = c.p("hall_cost_intelligent") * 2 ** (-years / c.p("power_halving_time_intelligent"))
    same(centres.book_halls[RUN, i], hall * carried)
    same(centres.real_servers[RUN, i], centres.book_servers[RUN, i])
    same(centres.real_halls[RUN, i], centres.book_halls[RUN, i])
    book = centres.book_servers[RUN, i] + centres.book_halls[RUN, i]
    same(centres.loan[RUN, i], c.p("opening_loan") * c.p("local_settlement") * book)
    same(centres.cash[RUN, i], c.p("opening_cash") * book)
    use = c.p("demand_ratio_start_intelligent")
    same(centres.sold[RUN, i], use * rows.servers[i] * HOURS)
    luck = setting.chance.normal("service quality", 0, rows.count)[RUN, rows.order[i]]
    sd = c.p("quality_log_sd")
    same(centres.quality[RUN, i], math.exp(sd * luck - sd**2 / 2))
    firms = world.firms
    f = int(np.flatnonzero(firms.initial)[0])
    size, wisdom = (
        setting.chance.normal(process, 0, firms.count)[RUN, firms.order[f]]
        for process in ("first sales", "first knowledge")
    )
    sd = c.p("initial_sales_log_sd")
    sales = c.p("initial_sales") * math.exp(sd * size - sd**2 / 2)
    same(state.firms.sales[RUN, f], sales)
    same(state.firms.orders[RUN, f], sales)
    knowledge = math.exp(c.p("initial_knowledge_log_sd") * wisdom)
    same(state.firms.knowledge[RUN, f], knowledge)
    paid = (1 - c.p("research_purchase_share")) * c.p("research_intensity") * sales
    researchers = 1000 * paid / world.prefectures.wage[firms.prefecture[f]]
    same(state.firms.staff[RUN, f], sales / productivity(c, knowledge, 0) + researchers)
    mine = firms.domain == firms.domain[f]
    same(state.firms.share[RUN, f], sales / state.firms.sales[RUN, mine].sum())
    size, first = state.firms.sales[RUN, mine], state.firms.knowledge[RUN, mine]
    same(state.society.quality_start[RUN, firms.domain[f]], (size * first).sum() / size.sum())
    variety = (first ** c.p("supplier_substitution")).sum()
    same(state.society.variety_start[RUN, firms.domain[f]], variety)
    made = c.p("maker_target_use") * world.makers.capacity[0]
    same(state.makers.cumulative[RUN, 0], c.p("initial_experience_quarters") * made)
    now, after = setting.national_table[RUN, 0, 0], setting.national_table[RUN, 1, 0]
    same(state.nation.capacity_history[RUN, 2, 0], now * (now / after) ** 3)

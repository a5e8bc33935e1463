"""Cases in which the whole model, or one of its stages, has an answer that can be written down."""

from dataclasses import replace

import numpy as np
import pytest
from helpers import final, quarter_of, quarters, setting_of

from ecosystem.inputs.world.assemble import Rows
from ecosystem.inputs.world.loader import load_world
from ecosystem.maths.arrays import Array
from ecosystem.maths.clearing import spread
from ecosystem.maths.kernels import HOURS, break_even_use, present_value_factor
from ecosystem.quarter.start import initial_state
from ecosystem.stages.investment import advance
from ecosystem.stages.location import hall_capacity, place_halls
from ecosystem.stages.prices import Support, full_cost, profit_index
from ecosystem.state.records import Market
from ecosystem.state.setting import Setting
from ecosystem.state.state import State

NO_FINANCE_LIMIT = {"finance_scale": 1e9, "exit_quarters": 1000.0}


def test_with_a_full_seed_servers_follow_halls_one_to_one() -> None:
    """Two stocks become one: each hall is ordered full the quarter before it arrives."""
    setting = setting_of(
        hall_seed_share=1.0,
        order_speed=0.0,
        lumpy_projects=0.0,
        reuse_share=0.0,
        **NO_FINANCE_LIMIT,
    )
    ordered = 0.0
    for quarter, _ in quarters(setting, 30):
        built, drivers = quarter.investment, quarter.drivers
        arriving = hall_capacity(quarter.state.centres.halls_pipeline[:, 1], drivers, setting)
        np.testing.assert_allclose(built.server_order, arriving, rtol=1e-12)
        ordered += built.server_order.sum()
    assert ordered > 1000


def test_with_instant_orders_a_place_has_what_its_contracts_need() -> None:
    """Without a lag of orders a place owns or awaits contracts over threshold, if it has room."""
    setting = setting_of(
        hall_seed_share=0.0, order_speed=1.0, replicates=(0, 1), **NO_FINANCE_LIMIT
    )
    threshold = spread(setting.by_kind("order_use"), setting.world.cells.kind)
    for quarter, _ in quarters(setting, 40):
        old, built = quarter.state.centres, quarter.investment
        due = setting.world.centres.sum(old.sold, "cell") / HOURS / threshold
        waiting = built.server_pipeline.sum(axis=1) - built.server_order
        have = setting.world.centres.sum(built.servers + waiting, "cell")
        arriving = hall_capacity(old.halls_pipeline[:, 1], quarter.drivers, setting)
        room = np.maximum(built.capacity + arriving - built.servers - waiting, 0)
        expected = np.minimum(np.maximum(due, have), have + setting.world.centres.sum(room, "cell"))
        owned = setting.world.centres.sum(built.servers + built.server_pipeline.sum(axis=1), "cell")
        np.testing.assert_allclose(owned, expected, rtol=1e-9, atol=1e-9)


def test_constant_build_leads_to_build_over_decay() -> None:
    """C6: servers of a constant order approach order/decay like a geometric series."""
    setting = setting_of()
    state = initial_state(setting)
    p, kind = setting.parameters, setting.world.centres.kind
    decay = spread(setting.by_kind("server_depreciation"), kind)
    order = np.ones_like(state.centres.servers) * 3
    pipeline = np.repeat(order[:, None], 2, axis=1)
    start = state.centres.servers
    for t in range(1, 200):
        centres = replace(
            state.centres,
            servers=state.centres.servers,
            server_pipeline=pipeline,
            halls=start * 0 + 1e9,
        )
        state = replace(state, centres=centres)
        built = quarter_of(state, setting, "investment").investment
        expected = order / decay + (start - order / decay) * (1 - decay) ** t
        np.testing.assert_allclose(built.servers, expected, rtol=1e-9)
        state = replace(state, centres=replace(centres, servers=built.servers))
        pipeline = advance(centres.server_pipeline, order)
    np.testing.assert_allclose(state.centres.servers, order / decay, rtol=0.05)
    assert float(p.interest_rate[0, 0]) > 0


def test_talent_comes_to_rest_at_retained_over_departure() -> None:
    """C8: with one pull for all graduates, H* = graduates * retention / departure."""
    setting = setting_of(
        "none",
        migration_home_bias=1.0,
        retention_response=0.0,
        talent_departure=0.2,
        fiscal_loop=0.0,
        branch_rate=0.0,
        graduates_growth=0.0,
    )
    quarter, state = final(setting)
    stay = 1 / (1 + np.exp(-setting.parameters.retention_intercept))
    rest = quarter.labour.graduates * stay / 0.2 / 1000
    start = setting.world.prefectures.talent
    reached = rest + (start - rest) * (1 - 0.2) ** state.period
    np.testing.assert_allclose(state.society.talent, reached, rtol=1e-9)
    assert (np.abs(start / rest - 1) > 0.5).all()


def test_profitability_is_one_at_break_even_use() -> None:
    """C7 through the stage: the index that investors see is one exactly at break-even."""
    for replicates, subsidy, output in (((0,), 0.0, 0.0), ((0, 1, 2), 0.1, 0.05)):
        setting = setting_of(replicates=replicates, fixed=False)
        state = initial_state(setting)
        drivers = quarter_of(state, setting, "drivers").drivers
        p, kind = setting.parameters, setting.world.centres.kind
        wear = spread(setting.by_kind("server_depreciation"), kind)
        decline = spread(drivers.price_decline, kind)
        places, where = setting.world.prefectures.count, setting.world.centres.prefecture
        support = Support(
            output=np.full((len(replicates), places), output),
            capital=np.full((len(replicates), 3, places), subsidy),
            diffusion=np.zeros((len(replicates), places)),
        )
        price = spread(drivers.price, kind) * 2
        cost = 0.1 * price
        use = break_even_use(
            price=price * (1 - p.operating_cost_share + output),
            variable_cost=cost,
            capital_cost=spread(full_cost(drivers, setting), kind),
            maintenance=p.maintenance_share * spread(drivers.server_cost, kind),
            income_factor=present_value_factor(p.interest_rate, wear, p.foresight * decline),
            upkeep_factor=present_value_factor(p.interest_rate, wear),
            subsidy=subsidy,
        )
        index = profit_index(price, cost, use, drivers, support, setting, kind, where)
        np.testing.assert_allclose(index, 1.0, rtol=1e-12)
        better = profit_index(price, cost, 1.1 * use, drivers, support, setting, kind, where)
        assert (better > 1).all()


def sales(setting: Setting, state: State, lever: float) -> Market:
    """Return the market of a state with the dispatch lever set by hand."""
    policy = quarter_of(state, setting, "policy").policy
    column = np.full_like(policy.lever["unified_dispatch"], lever)
    policy = replace(policy, lever={**policy.lever, "unified_dispatch": column})
    return quarter_of(state, setting, "market", policy=policy).market


def test_without_search_friction_and_with_a_pool_the_dispatch_centre_is_worth_nothing() -> None:
    """All is pooled and found anyway: the lever of instrument 4 moves no sale."""
    pooled = setting_of(pooled_share=1.0, search_exponent=400.0, replicates=range(3))
    for quarter, _ in quarters(pooled, 26):
        if quarter.state.period % 5 == 0:
            without, full = (sales(pooled, quarter.state, lever).sold for lever in (0.0, 0.3))
            np.testing.assert_allclose(full, without, rtol=1e-9, atol=1e-9)


def test_with_search_friction_it_serves_more() -> None:
    """The case above can fail: at the defaults the lever serves more of the same demand."""
    setting = setting_of(replicates=range(3))
    _, state = final(setting, 26)
    without, full = (sales(setting, state, lever) for lever in (0.0, 0.3))
    served = [market.served.sum(axis=(1, 2)) for market in (without, full)]
    assert (served[1] > served[0] * (1 + 1e-5)).all()
    assert (full.leaked.sum(axis=(1, 2)) >= 0).all()


@pytest.mark.parametrize("weight", [0.3, 0.9])
def test_without_hype_expectations_do_not_see_growth(weight: float) -> None:
    """At no hype a faster nation leaves the choice of location as it is."""
    calm = setting_of(hype=0.0, use_weight=weight)
    hyped = setting_of(hype=1.0, use_weight=weight)
    state = initial_state(calm)
    shares = {}
    for name, setting in (("calm", calm), ("hyped", hyped)):
        for speed in (1.0, 3.0):
            drivers = quarter_of(state, setting, "drivers").drivers
            drivers = replace(drivers, growth=speed * drivers.growth)
            quarter = quarter_of(state, setting, "policy", drivers=drivers)
            shares[name, speed] = place_halls(quarter, setting).share
    np.testing.assert_array_equal(shares["calm", 1.0], shares["calm", 3.0])
    assert not np.allclose(shares["hyped", 1.0], shares["hyped", 3.0])


def test_claims_above_the_envelope_are_paid_in_proportion() -> None:
    """The paid share is min(1, envelope/claims) where nobody else holds the money back."""
    given = {"prefecture_programme_share": 10.0, "province_programme_share": 10.0}
    setting = setting_of("output_only", replicates=range(3), match_threshold=1e-9, **given)
    column = setting.schedule.names.index("output_subsidy")
    rationed = 0
    for quarter, _ in quarters(setting, 40):
        if quarter.state.period < 24:
            continue
        books, policy = quarter.accounts.settlement, quarter.policy
        claims = books.claims["output_subsidy"].sum(axis=1)
        envelope = policy.envelope[:, column]
        expected = np.minimum(1, envelope / claims)
        np.testing.assert_allclose(books.paid_share[:, column], expected, rtol=1e-9)
        rationed += (expected < 1).sum()
    assert rationed > 0


def identical_places(agglomeration: float, replicates: int, until: int) -> Array:
    """Return the shares of intelligent halls of identical prefectures, (runs, prefectures).

    All prefectures of the full world get the tables of one that is not the hub, and every cell
    the same operators at the start; what the hub is for is switched off, and so are rivals.
    """
    world = load_world("full")
    places = dict(world.prefectures.columns)
    model = int(np.flatnonzero((world.prefectures.hub == 0) & (world.prefectures.tier == 3))[0])
    for name, values in places.items():
        if isinstance(values, np.ndarray) and name not in ("id", "hub"):
            places[name] = np.full_like(values, values[model])
    rows, centres = world.centres, dict(world.centres.columns)
    first = np.zeros(rows.count)
    first[rows.cell_start] = 1.0
    centres["servers"] = 5.0 * first
    centres["pue"] = np.full(rows.count, 1.2)
    centres["owner"] = np.zeros(rows.count, dtype=int)
    even = replace(
        world,
        prefectures=Rows(world.prefectures.count, places),
        centres=Rows(rows.count, centres),
    )
    effects = {
        name: 0.0
        for name in setting_of().parameters._columns
        if name.startswith("location_effect_intelligent")
    }
    setting = setting_of(
        "none",
        even,
        replicates=range(replicates),
        agglomeration=agglomeration,
        profit_sensitivity=0.0,
        fill_feedback=0.0,
        yardstick_strength=0.0,
        readiness_effect=0.0,
        diversification=0.0,
        hub_bonus=0.0,
        gate_threshold=0.0,
        rival_effect_intelligent=-100.0,
        quality_log_sd=0.0,
        tenant_sd=0.0,
        **effects,
        **NO_FINANCE_LIMIT,
    )
    built = sum(q.investment.location.placed for q, _ in quarters(setting, until))
    cells = np.asarray(built)[:, world.cells.intelligent]
    return cells / cells.sum(axis=1, keepdims=True)


@pytest.mark.slow
def test_identical_places_share_alike_without_agglomeration() -> None:
    """C9: expected shares are equal, and concentration comes from luck alone.

    The mean share of a place over 200 runs is normal; four standard errors of the largest of 14
    gaps are passed by chance in one test of a thousand.
    """
    shares = identical_places(0.0, 200, 31)
    count = shares.shape[1]
    error = shares.std(axis=0, ddof=1) / np.sqrt(len(shares))
    assert (np.abs(shares.mean(axis=0) - 1 / count) < 4 * error).all()


@pytest.mark.slow
def test_agglomeration_concentrates_and_makes_places_differ_by_luck() -> None:
    """C9: with strong agglomeration concentration rises, and its spread over seeds with it.

    The means differ by ten standard errors and the spreads by a factor of ten, so the false-alarm
    rate is below one in a million.
    """
    weak, strong = (
        (identical_places(agglomeration, 60, 63) ** 2).sum(axis=1) for agglomeration in (0.0, 1.2)
    )
    assert strong.mean() > 1.5 * weak.mean()
    assert strong.std() > 1.5 * weak.std()


def test_a_place_that_nobody_can_use_up_sells_by_the_matching_function() -> None:
    """Without a pool each centre of a cell sells match(own demand, capacity) and no more."""
    setting = setting_of(pooled_share=0.0, replicates=range(2))
    for quarter, _ in quarters(setting, 12):
        market = quarter.market
        assert (market.leaked == 0).all()
        lost = market.inflow - market.served
        np.testing.assert_allclose(market.lost, lost, rtol=1e-9, atol=1e-6)
        busy = market.sold > 0
        assert (market.sold[busy] < (HOURS * quarter.investment.servers)[busy]).all()

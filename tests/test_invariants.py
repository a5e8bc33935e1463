"""Identities and bounds of every quarter, whatever package, shock, seed and parameters (A1-A10).

Each check reads the records of a quarter and the states before and after it; the numbers it
compares come from different stages, so that a stage that forgets a part is caught.
"""

import numpy as np
import pytest
from helpers import FEW, MANY, ONE_YUAN, Configuration, configurations, quarters, setting_of
from hypothesis import example, given

from ecosystem.inputs.catalogue import state_columns
from ecosystem.inputs.scenario import Scenario
from ecosystem.maths.kernels import HOURS
from ecosystem.outcomes import measure
from ecosystem.quarter.start import HALL_QUARTERS, SERVER_QUARTERS
from ecosystem.stages.dispatch import class_demand, contract_weights
from ecosystem.stages.firms import outside_market
from ecosystem.stages.investment import advance
from ecosystem.stages.parks import adoption_outlay
from ecosystem.stages.prices import kept_subsidy
from ecosystem.stages.settlement import TRANSFERS
from ecosystem.state.ledger import SECTORS, Purpose, matrix, select
from ecosystem.state.records import Quarter
from ecosystem.state.setting import Setting
from ecosystem.state.state import State

ROUNDING = 1e-9


def close(one: np.ndarray, other: np.ndarray, scale: np.ndarray | float = 0.0) -> None:
    """Fail unless two arrays agree to 1e-9 of themselves or of the scale of what made them."""
    size = np.maximum(np.maximum(np.abs(one), np.abs(other)), scale)
    wrong = ~(np.abs(one - other) <= ROUNDING * size + 1e-12)
    assert not wrong.any(), (one[wrong][:3], other[wrong][:3])


def close_money(one: np.ndarray, other: np.ndarray, size: np.ndarray | float = 0.0) -> None:
    """Fail unless two amounts agree to one yuan, or to rounding of the amounts they add up."""
    wrong = ~(np.abs(one - other) <= np.maximum(ONE_YUAN, 1e-14 * size))
    assert not wrong.any(), (one[wrong][:3], other[wrong][:3])


def whole(values: np.ndarray) -> np.ndarray:
    """Sum all but the runs."""
    return values.reshape(len(values), -1).sum(axis=1)


def deposits(state: State) -> dict[str, np.ndarray]:
    """Deposits of every sector, (runs, members)."""
    return {name: getattr(getattr(state, part), field) for name, (part, field) in SECTORS.items()}


def check_money(quarter: Quarter, after: State, setting: Setting) -> None:
    """A1, A2: rows balance, deposits move by the listed flows alone, money is not made."""
    flows = quarter.accounts.flows
    for row in matrix(flows).values():
        close_money(sum(row.values()), np.zeros(1), sum(np.abs(part) for part in row.values()))
    before, later = deposits(quarter.state), deposits(after)
    for sector, opening in before.items():
        paid = [flow.paid for flow in flows if flow.payer == sector]
        received = [flow.received for flow in flows if flow.receiver == sector]
        net = sum(received) - sum(paid)
        close_money(later[sector], opening + net, np.abs(opening) + sum(received) + sum(paid))
    own = [flow for flow in flows if all(flow is not added for added in quarter.accounts.added)]
    assert not select(own, Purpose.OTHER)
    for flow in flows:
        close_money(whole(flow.paid), whole(flow.received), whole(flow.paid))
        assert (flow.paid >= -ONE_YUAN).all(), flow.label
        assert (flow.received >= -ONE_YUAN).all(), flow.label
    close_money(
        np.sum([whole(v) for v in later.values()], axis=0),
        np.sum([whole(v) for v in before.values()], axis=0),
        np.sum([whole(np.abs(v)) for v in later.values()], axis=0),
    )


def check_own_books(quarter: Quarter, after: State, setting: Setting) -> None:
    """A1: centres and firms end with the cash that their own decisions leave them."""
    books, exits = quarter.accounts.books, quarter.accounts.exits
    own = books.cash + exits.received - exits.paid - exits.repaid - exits.left_over
    close_money(after.centres.cash, own + exits.overdraft)
    born, gone = quarter.business.born, quarter.business.exits
    close_money(after.firms.cash * gone, 0 * gone)
    start = setting.parameters.founding_capital * born
    close_money(after.firms.cash * born, start)


def check_loans(quarter: Quarter, after: State, setting: Setting) -> None:
    """Loans grow by what is borrowed and shrink by what is repaid or written off."""
    books, exits = quarter.accounts.books, quarter.accounts.exits
    opening = quarter.state.centres.loan
    fresh = books.borrowed + books.overdraft + exits.overdraft
    repaid = books.repayment + exits.repaid
    written_off = opening + fresh - repaid - after.centres.loan
    assert (written_off >= -ONE_YUAN).all()
    close_money(written_off * (1 - exits.left), 0 * written_off)
    rows = matrix(quarter.accounts.flows)
    close_money(rows["new loans"]["centres"], whole(fresh)[:, None])
    close_money(-rows["loans repaid"]["centres"], whole(repaid)[:, None])


def check_market(quarter: Quarter, after: State, setting: Setting) -> None:
    """A3, A4: demand is served, lost, leaked or helped; nothing sells more than it has."""
    market, built = quarter.market, quarter.investment
    work, centres, kinds = setting.world.workloads, setting.world.centres, setting.world.kinds
    arrived = market.routing.inflow.sum(axis=1)
    routed = np.stack(
        [work.sum(arrived * (work.real_time == first), "kind") for first in (True, False)], axis=1
    )
    helped = np.stack([0 * market.helped, market.helped], axis=1)
    close(market.served + market.lost + market.leaked + helped, routed)
    assert (market.helped >= 0).all()
    close(market.inflow, routed)
    available = HOURS * centres.sum(built.servers, "kind")
    assert (market.served <= market.inflow * (1 + ROUNDING)).all()
    assert (centres.sum(market.sold, "kind") <= available * (1 + ROUNDING)).all()
    by_class = np.stack([centres.sum(market.by_class[:, c], "kind") for c in (0, 1)], axis=1)
    stand_in = centres.sum(market.sold - market.by_class.sum(axis=1), "kind")
    done = setting.parameters.substitution_ratio * stand_in[:, kinds.intelligent]
    by_class[:, 1, kinds.general] += done
    size = centres.sum(market.sold, "kind")  # of which stand-in is what is left over
    size = size + setting.parameters.substitution_ratio * size[:, kinds.intelligent] * kinds.general
    close(market.served, by_class, size[:, None])
    close(stand_in * ~kinds.intelligent, 0 * stand_in)
    assert (market.by_class >= 0).all()
    assert (market.sold <= HOURS * built.servers * (1 + ROUNDING)).all()
    assert (built.servers <= built.capacity * (1 + ROUNDING)).all()
    offer = market.routing.offer
    subsidy = kept_subsidy(quarter.policy, setting)[:, centres.prefecture]
    kept = 1 - setting.parameters.operating_cost_share + subsidy
    assert (offer.price * kept >= offer.cost * (1 - ROUNDING)).all()
    shares = market.routing.share
    assert (shares >= 0).all()
    close(shares.sum(axis=3), np.ones(shares.shape[:3]))
    placed = built.location.share
    assert (placed >= 0).all()
    close(placed.sum(axis=2), np.ones(placed.shape[:2]))
    close(whole(market.payments), whole(market.revenue))


def check_pipelines(quarter: Quarter, after: State, setting: Setting) -> None:
    """A5: orders are commissioned, slip or wait; exits hand over or scrap, and make nothing."""
    old, built, exits = quarter.state.centres, quarter.investment, quarter.accounts.exits
    close(
        old.server_pipeline.sum(axis=1) + built.server_order,
        built.arrived + built.server_pipeline.sum(axis=1),
    )
    new_power = quarter.drivers.power[:, setting.world.centres.kind]
    commissioned = old.halls_pipeline[:, 0]
    close(
        old.halls_pipeline.sum(axis=1) + built.hall_order * new_power / 1000,
        commissioned + built.halls_pipeline.sum(axis=1),
    )
    kept = old.halls * (1 - setting.parameters.hall_depreciation)
    close(built.halls, kept + commissioned)
    delivered = quarter.drivers.accelerators[setting.world.centres.kind]
    close(built.arrived, delivered * old.server_pipeline[:, 0])
    for centres in (built, after.centres):  # halls are full at most, in MW
        draw, room = centres.servers * centres.power, 1000 * centres.halls
        assert (draw <= room * (1 + ROUNDING) + 1e-9).all()
    start = setting.world.centres.cell_start
    staying = (exits.left == 0).all(axis=1)
    for before, later in (
        (built.servers, after.centres.servers),
        (built.halls, after.centres.halls),
        (built.server_pipeline.sum(axis=1), after.centres.server_pipeline.sum(axis=1)),
        (built.halls_pipeline.sum(axis=1), after.centres.halls_pipeline.sum(axis=1)),
        (quarter.accounts.assets.servers, after.centres.real_servers),
        (quarter.accounts.assets.halls, after.centres.real_halls),
    ):
        there, left = (np.add.reduceat(v, start, axis=1) for v in (before, later))
        assert (left <= there * (1 + ROUNDING) + 1e-12).all()
        close(left[staying], there[staying])


def check_supply(quarter: Quarter, after: State, setting: Setting) -> None:
    """A6: equipment is bought here or outside, and makers make no more than they can."""
    supply = quarter.supply
    close(supply.local_sales + supply.imports, supply.orders)
    assert (supply.imports >= -ROUNDING * supply.orders).all()
    assert (supply.output <= quarter.state.makers.capacity * (1 + ROUNDING)).all()
    close(whole(supply.orders), whole(quarter.investment.server_outlay))
    assert (supply.intermediate >= 0).all()
    assert (supply.exports >= -ROUNDING * whole(supply.sales)[:, None]).all()


def check_people(quarter: Quarter, after: State, setting: Setting) -> None:
    """A7, A8: people and firms do not appear or vanish unseen."""
    labour, business = quarter.labour, quarter.business
    talent = quarter.state.society.talent + (labour.retained - labour.left + labour.moved_in) / 1000
    close(after.society.talent, talent)
    emigrated = whole(labour.graduates) - whole(labour.retained)
    assert (emigrated >= -ROUNDING * whole(labour.graduates)).all()
    before = quarter.state.firms.active
    close(after.firms.active, before + business.born - business.exits)
    assert (business.born * before == 0).all()
    assert (business.exits <= before).all()
    assert np.isin(after.firms.active, (0, 1)).all()
    firms = setting.world.firms
    by_domain = [firms.sum(values, "domain") for values in (business.sales, business.orders)]
    assert (by_domain[0] <= by_domain[1] * (1 + ROUNDING)).all()
    assert (by_domain[1] <= business.pool * (1 + ROUNDING)).all()
    assert (business.sales <= business.capacity * (1 + ROUNDING)).all()
    assert (business.outside_share < 1).all()
    market = business.local_pool + outside_market(quarter, setting)
    assert (by_domain[0] <= market * (1 + ROUNDING)).all()
    assert (labour.researchers <= labour.staff / 2).all()
    with_firms = np.stack(
        [whole(after.firms.share * (setting.world.firms.domain == j)) for j in range(5)], axis=1
    )
    assert (np.abs(with_firms - 1) < ROUNDING).all() or (
        np.abs(with_firms * (with_firms - 1)) < ROUNDING
    ).all()
    assert (after.firms.staff * (1 - after.firms.active) == 0).all()


def check_budgets(quarter: Quarter, after: State, setting: Setting) -> None:
    """A9: nobody is paid more than was claimed and set aside; levels add up to what is paid."""
    policy, books = quarter.policy, quarter.accounts.settlement
    names = setting.schedule.names
    for name in TRANSFERS:
        i = names.index(name)
        paid, envelope = books.paid[:, i], policy.envelope[:, i]
        assert (paid <= envelope * (1 + ROUNDING) + 1e-12).all(), name
        assert (paid <= books.claimed[:, i] * (1 + ROUNDING) + 1e-12).all(), name
        close(paid, whole(books.payers[name]))
        close(paid, whole(books.received[name]))
        assert (books.received[name] <= books.claims[name] * (1 + ROUNDING) + 1e-12).all(), name
    close(whole(policy.level_paid), whole(policy.programme_paid))
    assert (policy.programme_paid <= policy.programme_claimed * (1 + ROUNDING) + 1e-12).all()
    prefectures = whole(policy.prefecture_paid) - whole(policy.own_readiness)
    close(prefectures, policy.level_paid[:, 2], whole(policy.programme_paid))
    assert (policy.prefecture_left >= -ROUNDING).all()


def check_outcomes(quarter: Quarter, after: State, setting: Setting) -> None:
    """A10 and money: what is reported is what was emitted, paid and received."""
    reported = measure(quarter, setting)
    drivers = quarter.drivers
    factor = setting.world.province.grid_co2_factor * drivers.grid_decline
    bought = reported["energy"] * (1 - reported["green_share"])  # green and grid are the total
    close(reported["co2_province"], bought * factor)
    assert ((0 <= reported["green_share"]) & (reported["green_share"] <= 1)).all()
    close(reported["energy"][:, 0], whole(quarter.market.energy))
    assert (reported["co2_nation"] >= reported["co2_province"]).all()
    check_public_money(quarter, reported, setting)
    rows = matrix(quarter.accounts.flows)
    close_money(reported["net_public_cost"], reported["public_cost"] - reported["tax_receipts"])
    close_money(reported["compute_export_revenue"], -rows["compute exports"]["world"])
    for name, values in reported.items():
        assert np.isfinite(values).all(), name
        assert values.ndim == 2, name
        assert len(values) == setting.runs, name


def check_public_money(quarter: Quarter, reported: dict[str, np.ndarray], setting: Setting) -> None:
    """Sums over purposes are what governments decided, claims paid, statements and orders say."""
    policy, accounts, flows = quarter.policy, quarter.accounts, quarter.accounts.flows
    payers = np.sum(list(accounts.settlement.payers.values()), axis=0)
    count = setting.world.prefectures.count
    levels = {
        "prefecture": whole(payers[:, :count]) + whole(policy.prefecture_paid),
        "provincial": payers[:, count] + policy.level_paid[:, 1] + policy.fiscal_extra[:, 0],
        "national": payers[:, count + 1] + policy.level_paid[:, 0],
    }
    for level, cost in levels.items():
        close_money(reported[f"public_cost_{level}"][:, 0], cost)
    close_money(reported["public_cost"][:, 0], np.sum(list(levels.values()), axis=0))
    rows, books = matrix(flows), accounts.books
    taxes = {flow.payer: whole(flow.paid) for flow in flows if flow.label == "taxes"}
    close_money(taxes["centres"], whole(books.value_added_tax + books.income_tax))
    output, parks = whole(quarter.innovation.park_output), setting.world.parks.output
    growth = np.exp(setting.parameters.park_output_growth[:, 0] * quarter.state.period / 4)
    chain = taxes["centres"] + taxes["makers"] + taxes["firms"]
    charged = [flow.paid for flow in select(flows, Purpose.CHARGE, payer="parks")]
    added, p = np.sum([accounts.value_added["parks"], *charged], axis=0), setting.parameters
    vat = p.value_added_tax * np.maximum(added, 0)  # of parks without a charge
    profit_tax = p.income_tax * np.maximum(added - accounts.wages["parks"] - vat, 0)
    chain += taxes["parks"] - whole(vat + profit_tax) * parks.sum() * growth / output
    chain -= np.sum([rows[f.label][f.payer][:, 0] for f in select(flows, Purpose.CHARGE)], axis=0)
    close_money(reported["tax_receipts"][:, 0], chain, whole(taxes["parks"][:, None]))
    built, price = quarter.investment, quarter.drivers.server_cost[:, setting.world.kinds.general]
    spent = whole(built.hall_outlay) + whole(built.server_outlay)
    spent += whole(quarter.supply.investment) + whole(quarter.innovation.park_order * price)
    spent += whole(adoption_outlay(quarter, setting))
    close_money(reported["investment"][:, 0], spent)


def check_bounds(quarter: Quarter, after: State, setting: Setting) -> None:
    """Every column of the state lies within the bounds of the table of state columns."""
    for key, row in state_columns().items():
        values = getattr(getattr(after, row.owner), row.name)
        assert np.isfinite(values).all(), key
        if row.low is not None:
            assert values.min() >= row.low - ONE_YUAN, (key, values.min())
        if row.high is not None:
            assert values.max() <= row.high + ROUNDING, (key, values.max())


CHECKS = (
    check_money,
    check_own_books,
    check_loans,
    check_market,
    check_pipelines,
    check_supply,
    check_people,
    check_budgets,
    check_outcomes,
    check_bounds,
)


def hold(setting: Setting) -> None:
    """Run all quarters and check each."""
    for quarter, after in quarters(setting):
        for check in CHECKS:
            check(quarter, after, setting)


@FEW
@given(configurations())
@example(Configuration("output_only", "", 3, ()))  # offers at their lowest price, lowered by it
def test_identities_and_bounds_hold_in_the_teaching_world(point: Configuration) -> None:
    hold(point.setting())


@pytest.mark.slow
@MANY
@given(configurations())
def test_they_hold_at_many_more_points(point: Configuration) -> None:
    hold(point.setting(replicates=range(4)))


@pytest.mark.slow
@FEW
@given(configurations())
def test_they_hold_in_the_full_world(point: Configuration) -> None:
    hold(point.setting("full"))


def test_where_all_is_pooled_demand_or_capacity_is_used_up() -> None:
    """A3: pooled and with no centre that withdraws, a place sells min(demand, capacity)."""
    mine = Scenario(["history"], rules={"offer_idle": "mean"})
    setting = setting_of(mine, pooled_share=1.0, replicates=range(3))
    start = setting.world.centres.cell_start
    for quarter, _ in quarters(setting, 40):
        market, built = quarter.market, quarter.investment
        policy = quarter.policy
        weight = contract_weights(quarter, market.routing, setting)
        (real_time, batch), _ = class_demand(market.routing, weight, policy, setting)
        capacity = np.add.reduceat(HOURS * built.servers, start, axis=1)
        sold = np.add.reduceat(market.sold, start, axis=1)
        close(sold, np.minimum(real_time + batch, capacity), capacity)
        assert (market.leaked == 0).all()


def test_the_mean_pipeline_is_flow_times_time() -> None:
    """A5, Little's law: a constant order fills the pipeline with order times quarters."""
    for length in (HALL_QUARTERS, SERVER_QUARTERS):
        order = np.array([[2.0, 5.0]])
        pipe = np.zeros((1, length, 2))
        arrivals = []
        for _ in range(10):
            arrivals.append(pipe[:, 0])
            pipe = advance(pipe, order)
        np.testing.assert_array_equal(pipe.sum(axis=1), length * order)
        np.testing.assert_array_equal(arrivals[length], order)
        np.testing.assert_array_equal(arrivals[length - 1], 0 * order)


def test_servers_wait_two_quarters_and_halls_three() -> None:
    """What is ordered in a quarter runs exactly so many quarters later, in the whole model."""
    setting = setting_of(exit_quarters=1000)
    whole_records = [quarter for quarter, _ in quarters(setting, 9)]
    records = [quarter.investment for quarter in whole_records]
    new_power = [quarter.drivers.power[:, setting.world.centres.kind] for quarter in whole_records]
    kept = 1 - setting.parameters.hall_depreciation
    for t in range(6):
        np.testing.assert_allclose(records[t + 2].arrived, records[t].server_order, rtol=1e-12)
        arrived = records[t + 3].halls - kept * records[t + 2].halls
        ordered = records[t].hall_order * new_power[t] / 1000
        np.testing.assert_allclose(arrived, ordered, rtol=1e-9, atol=1e-12)
    assert sum(record.server_order.sum() for record in records[:6]) > 0
    assert sum(record.hall_order.sum() for record in records[:6]) > 0


def test_hardly_a_birth_finds_no_slot_at_the_defaults() -> None:
    """A8: births that find no slot are counted, and are fewer than one in a hundred."""
    setting = setting_of(world="full", replicates=range(8))
    records = [quarter.business for quarter, _ in quarters(setting)]
    overflow = sum(record.overflow.sum() for record in records)
    born = sum(record.born.sum() for record in records)
    assert born > 1000
    assert overflow < 0.01 * born

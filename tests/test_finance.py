"""One centre's books, followed by hand, and what they mean in the whole model.

Its owners pay what the loan share leaves over, as in the model, or nothing: then that part is paid
from an empty account and becomes an overdraft. A centre without equity shows by the sign of its
equity whether it earns its full cost, which is interest, depreciation and price fall on the
capital, upkeep, and taxes. Fresh equity can hide losses, and asks for no interest itself (with the
loan share of .7 a centre at .95 of break-even earns its interest and a bit); so where owners pay,
what counts is their stake: equity and dividends less what they put in, each at the bank's rate.
Three things make the statement exact:

- The books run capital down at the rate that the break-even use counts with (wear and price
  fall), halls like servers. In the whole model halls last longer, which only helps.
- Upkeep follows the price of servers, as it does in the model, so it is worth as many years as
  the income is.
- The value-added tax falls on the surplus, not on profit. A surplus that must earn a capital cost
  K after a tax of v must earn K/(1 - v) before it, so the break-even use carries that factor. At
  the untaxed break-even a tax of 6 % would eat more than the 5 % by which the centre is better.
  The income tax falls on what is left after depreciation and interest, so it never decides the
  sign.
"""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import pytest
from helpers import quarters, setting_of
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ecosystem.inputs.calendar import POLICY_START
from ecosystem.maths.arrays import Array
from ecosystem.maths.clearing import spread
from ecosystem.maths.kernels import HOURS, break_even_use, present_value_factor
from ecosystem.stages.drivers import drive
from ecosystem.stages.finance import equity, keep_books, renew_assets
from ecosystem.stages.investment import invest
from ecosystem.stages.prices import full_cost
from ecosystem.state.records import Books, Quarter, RealAssets
from ecosystem.state.setting import Setting

MOMENTS = (20, 40, 60)


def kept(rates: "Rates", **values: float) -> Books:
    """Return the books of one centre, numbers in place of arrays."""
    lines: Any = keep_books(rates, **values)
    return Books(*lines)


class Rates(NamedTuple):
    """The parameters that the books of a centre read."""

    loan_share: float
    interest_rate: float
    hall_depreciation: float
    value_added_tax: float
    income_tax: float
    payout: float
    reserve_quarters: float


@dataclass(frozen=True)
class Centre:
    """One centre of 100 PFLOPS: prices of its first quarter, and how it is financed."""

    local_settlement: float = 0.45
    loan_share: float = 0.7
    payout: float = 0.5
    interest: float = 0.05  # a year
    wear: float = 0.03  # a quarter
    halving: float = 4.5  # years
    income_tax: float = 0.15
    value_added_tax: float = 0.06
    replaces: bool = True  # keeps its size by ordering what wears out
    price: float = 16.0  # yuan/PFh
    power: float = 0.7  # yuan/PFh
    cost: float = 0.28  # M¥/PFLOPS, servers and their hall
    upkeep: float = 0.0167  # of the cost a year
    size: float = 100.0  # PFLOPS
    owners_pay: bool = False  # for what no loan covers, out of the centre's deposits first

    def rates(self) -> Rates:
        """Return the parameters of a run."""
        return Rates(
            loan_share=self.loan_share,
            interest_rate=self.interest,
            hall_depreciation=self.decline,
            value_added_tax=self.value_added_tax,
            income_tax=self.income_tax,
            payout=self.payout,
            reserve_quarters=2.0,
        )

    @property
    def decline(self) -> float:
        """Return by how much the book value of servers falls in a quarter."""
        return self.wear + float(np.log(2)) / self.halving / 4

    def break_even(self) -> float:
        """Return the use at which the income of the centre just covers its full cost."""
        factor = present_value_factor(self.interest, self.wear, np.log(2) / self.halving)
        use = break_even_use(
            price=np.array([self.price]),
            variable_cost=np.array([self.power]),
            capital_cost=np.array([self.cost / (1 - self.value_added_tax)]),
            maintenance=np.array([self.upkeep * self.cost]),
            income_factor=factor,
            upkeep_factor=factor,
        )
        return float(use[0])

    def paid_in(self, capital: float, cash: float) -> float:
        """Return what owners put in for a project; see `books.owners_equity`."""
        own = (1 - self.loan_share) * self.local_settlement * capital
        return self.owners_pay * max(own - max(cash, 0), 0)

    def run(self, use: float, until: int = max(MOMENTS)) -> list[Books]:
        """Buy the centre in quarter 0 with an empty account and follow it: books by quarter."""
        return [books for books, _ in self.follow(use, until)]

    def follow(self, use: float, until: int = max(MOMENTS)) -> list[tuple[Books, float]]:
        """Return the same, each with what owners put in, M¥."""
        rates = self.rates()
        none, whole = 0.0, self.cost * self.size
        injected = self.paid_in(whole, none)
        books = kept(
            rates, settled=self.local_settlement, decline=self.decline, scrapped=none,
            cash=none, loan=none, book_servers=none, book_halls=none, income=none, costs=none,
            server_capital=whole, hall_capital=none, injected=injected,
        )  # fmt: skip
        history = [(books, injected)]
        size = self.size
        for t in range(until):
            fallen = 2 ** (-t / 4 / self.halving)
            after = size * (1 - self.wear)
            order = (self.size - after) * self.replaces
            upkeep = self.upkeep * self.cost * size / 4
            sold = use * size * HOURS / 1e6
            capital = fallen * self.cost * order
            injected = self.paid_in(capital, float(books.cash))
            books = kept(
                rates, settled=self.local_settlement, decline=self.decline, scrapped=none,
                cash=books.cash, loan=books.loan,
                book_servers=books.book_servers, book_halls=books.book_halls,
                income=fallen * self.price * sold,
                costs=fallen * (self.power * sold + upkeep),
                server_capital=capital, hall_capital=none, injected=injected,
            )  # fmt: skip
            history.append((books, injected))
            size = after + order
        return history

    def equity(self, use: float) -> list[float]:
        """Return equity after 0, 1, ... quarters, M¥."""
        return [
            equity(b.cash, b.book_servers + b.book_halls, b.loan, self.local_settlement)
            for b in self.run(use)
        ]

    def stake(self, use: float) -> list[float]:
        """Return equity and dividends less what owners put in, each at the bank's rate, M¥."""
        passed, stakes, rate = 0.0, [], 1 + self.interest / 4
        for worth, (books, injected) in zip(self.equity(use), self.follow(use), strict=True):
            passed = passed * rate + float(books.dividend) - injected
            stakes.append(worth + passed)
        return stakes


CENTRES = st.builds(
    Centre,
    local_settlement=st.floats(0.2, 0.7),
    loan_share=st.floats(0.0, 1.0),
    payout=st.floats(0.0, 1.0),
    interest=st.floats(0.03, 0.07),
    wear=st.floats(0.02, 0.05),
    halving=st.floats(2.5, 6.0),
    income_tax=st.floats(0.0, 0.25),
    value_added_tax=st.floats(0.0, 0.13),
    replaces=st.booleans(),
    price=st.floats(8.0, 30.0),
    power=st.floats(0.3, 2.0),
    cost=st.floats(0.2, 0.5),
    upkeep=st.floats(0.0, 0.05),
    owners_pay=st.booleans(),
)
QUICK = settings(max_examples=40, deadline=None, derandomize=True)


@QUICK
@given(CENTRES)
def test_a_little_above_break_even_equity_is_never_negative(centre: Centre) -> None:
    path = centre.equity(1.05 * centre.break_even())
    assert all(path[t] >= 0 for t in MOMENTS), [path[t] for t in MOMENTS]
    assert min(path) >= -1e-9


@QUICK
@given(CENTRES)
def test_a_little_below_break_even_equity_is_negative(centre: Centre) -> None:
    """Where owners pay nothing in."""
    without = replace(centre, owners_pay=False)
    path = without.equity(0.95 * centre.break_even())
    assert all(path[t] < 0 for t in MOMENTS), [path[t] for t in MOMENTS]


@QUICK
@given(CENTRES)
def test_a_little_below_break_even_owners_lose_in_every_quarter(centre: Centre) -> None:
    """Where they pay for every project: their stake falls for ever, whatever equity says.

    Books fall by wear plus price fall, servers by their product, which makes what stands worth
    more than its book: by (price fall)^2/2 over the wear for a centre that replaces. Only where
    that is less than the 5 % by which the centre is worse does it lose in every quarter.
    """
    fall = np.log(2) / centre.halving / 4
    assume(fall**2 / 2 < 0.04 * centre.wear)
    paying = replace(centre, owners_pay=True, replaces=True)
    stake = paying.stake(0.95 * centre.break_even())
    assert (np.diff(stake) < 0).all()
    assert paying.loan_share == 1 or sum(paid for _, paid in paying.follow(0.5)) > 0


def test_the_tax_on_surplus_is_part_of_the_full_cost() -> None:
    """At 1.05 of a break-even that forgets the tax, the centre still loses its equity."""
    untaxed = replace(Centre(), value_added_tax=0.0)
    assert untaxed.equity(1.05 * untaxed.break_even())[60] > 0
    assert Centre().equity(1.05 * untaxed.break_even())[60] < 0


def test_one_quarter_by_hand() -> None:
    """A centre with cash 30, loan 40 and book 120 earns 30, buys for 10 and cuts a tenth."""
    rates = Centre(loan_share=0.6).rates()._replace(hall_depreciation=0.01)
    books = kept(rates, settled=0.5, decline=0.06, **QUARTER_BY_HAND)
    expected = {
        "surplus": 30.0,
        "headquarters_take": 15.0,
        "headquarters_pay": 5.0,
        "depreciation": 6.2,  # 100 x .06 + 20 x .01
        "interest": 0.5,  # 40 x .0125
        "repayment": 40 * 6.2 / 120,
        "borrowed": 3.0,  # .6 x .5 x 10
        "overdraft": 0.0,
        "value_added_tax": 0.9,  # .06 x .5 x 30
        "income_tax": 1.575,  # .15 x (15 - .9 - 3.1 - .5)
        "dividend": 4.4625,  # .5 x (10.5 - 1.575)
        "cash": 30 + 15 - 5 + 3 - 0.5 - 40 * 6.2 / 120 - 0.9 - 1.575 - 4.4625,
        "loan": 40 - 40 * 6.2 / 120 + 3,
        "book_servers": 92.6,  # 100 x .94 x .9 + 8
        "book_halls": 21.8,  # 20 x .99 + 2
    }
    for name, value in expected.items():
        np.testing.assert_allclose(getattr(books, name), value, rtol=1e-12, err_msg=name)


QUARTER_BY_HAND = {
    "cash": 30.0,
    "loan": 40.0,
    "book_servers": 100.0,
    "book_halls": 20.0,
    "income": 40.0,
    "costs": 10.0,
    "server_capital": 8.0,
    "hall_capital": 2.0,
    "scrapped": 0.1,
    "injected": 0.0,
}


def test_real_assets_by_hand() -> None:
    """Servers cost twice their trend: 44 M¥ buy 22, and what wears out is dear to replace."""
    rates = Centre().rates()._replace(hall_depreciation=0.01)
    assets = RealAssets(*renew_assets(
        rates, decline=0.06, scrapped=0.1, servers=100.0, halls=20.0, server_outlay=44.0,
        hall_outlay=3.0, server_price=2.0,
    ))  # fmt: skip
    np.testing.assert_allclose(assets.servers, 100 * 0.94 * 0.9 + 22)
    np.testing.assert_allclose(assets.halls, 20 * 0.99 + 3)
    np.testing.assert_allclose(assets.wear, 2 * 6 + 0.2)


def test_the_bought_centre_starts_with_debts_as_large_as_its_book() -> None:
    for loan_share in (0.0, 0.4, 0.7, 1.0):
        books = Centre(loan_share=loan_share).run(0.5, until=1)[0]
        np.testing.assert_allclose(books.loan, 0.45 * 28.0)
        np.testing.assert_allclose(books.overdraft, (1 - loan_share) * 0.45 * 28.0)
        np.testing.assert_allclose(books.headquarters_pay, 0.55 * 28.0)


@QUICK
@given(CENTRES, st.floats(0.2, 0.9), st.floats(0.2, 0.7))
@pytest.mark.slow
def test_headquarters_share_scales_the_local_books_and_nothing_else(
    centre: Centre, use: float, other: float
) -> None:
    """In a loss headquarters do not share; else local money is proportional to the local share."""
    centre = replace(centre, payout=0.0)
    one, two = (replace(centre, local_settlement=s).run(use) for s in (0.3, other))
    for left, right in zip(one, two, strict=True):
        if left.surplus < 0:
            break
        for name in ("interest", "value_added_tax", "income_tax", "loan", "cash", "borrowed"):
            scaled = getattr(left, name) / 0.3 * other
            np.testing.assert_allclose(getattr(right, name), scaled, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(left.surplus, right.surplus)
        np.testing.assert_allclose(left.book_servers, right.book_servers)


@QUICK
@given(CENTRES, st.floats(0.0, 1.0))
def test_a_yuan_goes_somewhere(centre: Centre, use: float) -> None:
    """Cash and loan move by what the quarter's own lines say, and no dividend makes a debt."""
    history = centre.follow(use)
    rates = centre.rates()
    for (before, _), (books, injected) in zip(history, history[1:], strict=False):
        outlay = books.headquarters_pay / (1 - centre.local_settlement)
        cash = (
            before.cash
            + injected
            + books.surplus
            - books.headquarters_take
            + books.headquarters_pay
            - outlay
            + books.borrowed
            + books.overdraft
            - books.interest
            - books.repayment
            - books.value_added_tax
            - books.income_tax
            - books.dividend
        )
        np.testing.assert_allclose(books.cash, cash, atol=1e-9)
        loan = before.loan + books.borrowed + books.overdraft - books.repayment
        np.testing.assert_allclose(books.loan, loan, atol=1e-9)
        np.testing.assert_allclose(
            books.interest, rates.interest_rate / 4 * before.loan, atol=1e-12
        )
        assert books.cash >= 0
        assert books.dividend * books.overdraft == 0
        gross = books.surplus - books.headquarters_take
        np.testing.assert_array_less(books.headquarters_take, np.maximum(books.surplus, 0) + 1e-12)
        assert (gross <= np.maximum(centre.local_settlement * books.surplus, 0) + 1e-9).all()


def break_even_in(quarter: Quarter, setting: Setting) -> Array:
    """Return the use at which a new unit of each centre covers its full cost, (runs, centres).

    As `Centre.break_even`; infinite where the price does not cover the power.
    """
    p, kind, drivers = setting.parameters, setting.world.centres.kind, quarter.drivers
    factor = present_value_factor(
        p.interest_rate,
        spread(setting.by_kind("server_depreciation"), kind),
        spread(drivers.price_decline, kind),
    )
    offer = quarter.market.routing.offer
    price = offer.price * spread(drivers.multiplier, kind) * (1 - p.operating_cost_share)
    covered = price > offer.cost * (1 + 1e-9)
    use = break_even_use(
        price=np.where(covered, price, offer.cost + 1.0),
        variable_cost=offer.cost,
        capital_cost=spread(full_cost(drivers, setting), kind) / (1 - p.value_added_tax),
        maintenance=p.maintenance_share * spread(drivers.server_cost, kind),
        income_factor=factor,
        upkeep_factor=factor,
    )
    return np.where(covered, use, np.inf)


@pytest.mark.parametrize(
    ("world", "fixed"),
    [
        ("teaching", True),
        ("teaching", False),
        pytest.param("full", True, marks=pytest.mark.slow),
        pytest.param("full", False, marks=pytest.mark.slow),
    ],
)
def test_fewer_than_a_fifth_of_centres_that_earn_their_cost_are_insolvent(
    world: str, fixed: bool
) -> None:
    """Centres with more than 1 PFLOPS whose mean use since their start was above break-even.

    Over their whole life: a loss of early years weighs on a centre for long after.
    """
    setting = setting_of(world=world, fixed=fixed, replicates=range(16))
    earned = lived = np.zeros((setting.runs, setting.world.centres.count))
    for t, (quarter, state) in enumerate(quarters(setting)):
        stays = 1 - quarter.accounts.exits.left
        ratio = np.minimum(quarter.market.use / break_even_in(quarter, setting), MOST)
        earned, lived = (earned + ratio) * stays, (lived + 1) * stays
        if t in (41, 63):
            earning = (earned >= lived) & (lived > 0) & (state.centres.servers > 1)
            c, settled = state.centres, quarter.policy.local_settlement
            worth = equity(c.cash, c.book_servers + c.book_halls, c.loan, settled)
            insolvent = worth < -1e-3
            assert earning.sum() >= 10
            assert (insolvent & earning).sum() < 0.2 * earning.sum()


MOST = 10.0
"""Use over break-even that counts in a quarter: where power is all that a centre pays it has no
bound."""
SOFTNESS = (0.0, 0.5, 1.0)


def test_less_soft_budget_never_builds_more() -> None:
    """From the same state and expectations no operator orders more with a harder budget.

    This holds quarter by quarter and centre by centre. Over years it need not: what is not built
    in a glut keeps prices and equity up, and may be built later.
    """
    settings_by_softness = [
        setting_of(fixed=False, replicates=range(4), soft_budget=soft, lumpy_projects=0.0, seed=3)
        for soft in SOFTNESS
    ]
    bound = 0
    for quarter, _ in quarters(settings_by_softness[1]):
        orders = [invest(quarter, setting) for setting in settings_by_softness]
        for harder, softer in zip(orders, orders[1:], strict=False):
            assert (harder.hall_order <= softer.hall_order * (1 + 1e-12)).all()
            assert (harder.server_order <= softer.server_order * (1 + 1e-12)).all()
        bound += (orders[0].rationed < orders[-1].rationed - 1e-9).sum()
    assert bound > 50  # else the limit never binds and nothing was tested


def test_where_profit_is_poor_less_soft_budget_slows_the_national_build() -> None:
    """The option not to build: where hard budgets build less than the table, so do harder ones."""
    settings_by_softness = [
        setting_of(fixed=False, replicates=range(8), soft_budget=soft, seed=3) for soft in SOFTNESS
    ]
    poor = 0
    for quarter, _ in quarters(settings_by_softness[1]):
        t = quarter.state.period
        if t < POLICY_START:
            continue
        table = settings_by_softness[0].national_table
        intelligent = settings_by_softness[0].world.kinds.intelligent
        growth = table[:, t + 1, intelligent] / table[:, t, intelligent]
        now = quarter.state.nation.capacity[:, intelligent]
        built = [
            drive(quarter, setting).capacity_next[:, intelligent]
            for setting in settings_by_softness
        ]
        slow = built[0] < now * growth
        for harder, softer in zip(built, built[1:], strict=False):
            assert (harder[slow] <= softer[slow] * (1 + 1e-12)).all()
        poor += slow.sum()
    assert poor > 20

"""What the stages of a quarter return: one record each, and the quarter that they fill.

Arrays of shape (runs, ...); M¥ is million yuan of 2020, PFh are PFLOPS-hours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from ecosystem.maths.arrays import Array
from ecosystem.maths.live import Live, live_slots
from ecosystem.state.ledger import Flow
from ecosystem.state.state import State

REAL_TIME, BATCH = 0, 1  # classes of work, in the order in which they are served


@dataclass(frozen=True)
class Drivers:
    """Exogenous values of one quarter."""

    year: float
    capacity: Array  # PFLOPS (runs, kinds), national, at the start of the quarter
    capacity_next: Array  # PFLOPS (runs, kinds), at its end
    growth: Array  # log growth a year, mean of four quarters (runs, kinds)
    demand_ratio_next: Array  # (runs, kinds)
    demand: Array  # PFLOPS-hours (runs, regions, workloads), 0 for the home region
    real_time_share: Array  # of intelligent work (runs, 1)
    noise: Array  # (runs, regions, workloads)
    price: Array  # yuan/PFh (runs, kinds), reference: what is posted at no mark
    rent: Array  # that price over its trend, 1 without a shock (runs, kinds)
    multiplier: Array  # what the nation's mix of work pays over what is posted (runs, kinds)
    server_cost: Array  # million yuan/PFLOPS (runs, kinds)
    server_price: Array  # that cost over its trend, 1 without a shock (runs, kinds)
    hall_cost: Array  # million yuan/PFLOPS (runs, kinds)
    power: Array  # kW/PFLOPS of new servers (runs, kinds)
    price_decline: Array  # log decline a year (runs, kinds)
    electricity: Array  # yuan/kWh (prefectures,)
    power_price: float  # price of power over its trend
    rival_price: Array  # of rival hubs over the reference (runs, 1)
    supply: float  # share of servers that power lets run
    poaching: float  # pull of the east, 1 without
    ai_demand: float  # demand for AI over its trend, everywhere
    chip_demand: Array  # demand outside for packaging and materials over its trend (runs, 1)
    efficiency: float  # work done by a unit of compute, 1 without a jump
    tasks: Array  # compute for AI over its trend as tasks need less of it (runs, 1)
    grid_decline: Array  # factor on all grid CO2 factors (runs, 1)
    accelerators: Array  # share of ordered servers delivered (kinds,)
    hub_availability: float  # share of hub capacity that runs
    fiscal: float  # factor on local envelopes and cash
    open_source: Array  # floor of algorithm quality (runs, 1)

    @property
    def trend_price(self) -> Array:
        """Reference price without a shock, yuan/PFh (runs, kinds)."""
        return self.price / self.rent

    @property
    def trend_server_cost(self) -> Array:
        """Cost of servers without a shock, M¥/PFLOPS (runs, kinds)."""
        return self.server_cost / self.server_price


@dataclass(frozen=True)
class Policy:
    """Levers and payments of one quarter."""

    lever: Mapping[str, Array]  # programmes: strength bought, (runs, 1)
    local_lever: Mapping[str, Array]  # the same where it acts, (runs, prefectures)
    rate: Mapping[str, Array]  # transfers: expected rate r * paid share, (runs, prefectures)
    promised: Mapping[str, Array]  # charges: rate on paper, (prefectures,)
    envelope: Array  # M¥ this quarter for transfers (runs, columns of the schedule)
    programme_paid: Array  # M¥ this quarter (runs, columns)
    programme_claimed: Array  # M¥ this quarter (runs, columns)
    level_paid: Array  # M¥ of programmes by level (runs, 3): nation, province, prefectures
    prefecture_paid: Array  # M¥ of programmes and readiness (runs, prefectures)
    prefecture_left: Array  # M¥ still free for transfers (runs, prefectures)
    province_left: Array  # M¥ (runs, 1)
    co_funding: Array  # share of the national part that is paid (runs, prefectures)
    match: Array  # share of prefecture dues met (runs, prefectures)
    infrastructure: Array  # M¥ this quarter (runs, prefectures)
    own_readiness: Array  # M¥ of it from the prefecture's own decision (runs, prefectures)
    readiness_next: Array  # (runs, prefectures)
    ambition_next: Array  # (runs, prefectures)
    gate: Array  # 1 where new halls are refused (runs, cells)
    envelope_weight: Array  # (runs, columns)
    fiscal_extra: Array  # M¥ that higher local receipts add (runs, 1)
    local_settlement: Array  # share of centres' surplus that is settled here (runs, 1)
    advantage: Array  # of the province by subsidies, in log profit (runs, 1)
    fiscal_talent: Array  # what it adds to the talent lever (runs, 1)


@dataclass(frozen=True)
class Location:
    """Where the footloose build of the quarter goes."""

    footloose: Array  # PFLOPS of new halls for the west (runs, kinds)
    share: Array  # of the prefectures and, last, the rivals (runs, kinds, prefectures + 1)
    placed: Array  # PFLOPS of new halls (runs, kinds * prefectures)
    bid: Array  # PFLOPS of new halls won by each centre (runs, centres)
    lender_index: Array  # profitability as lenders see it (runs, centres)


@dataclass(frozen=True)
class Investment:
    """Capacity of the quarter and what was ordered."""

    location: Location
    halls: Array  # MW in place (runs, centres)
    halls_pipeline: Array  # MW (runs, hall quarters, centres)
    nameplate: Array  # PFLOPS that halls were planned to carry when ordered (runs, centres)
    capacity: Array  # PFLOPS that the halls can carry (runs, centres)
    servers: Array  # PFLOPS running (runs, centres)
    server_pipeline: Array  # PFLOPS (runs, server quarters, centres)
    arrived: Array  # PFLOPS of servers (runs, centres)
    scrapped: Array  # PFLOPS cut because halls cannot hold them (runs, centres)
    power: Array  # kW/PFLOPS, mean of the vintages (runs, centres)
    pue: Array  # mean of the vintages (runs, centres)
    spare: Array  # PFLOPS of empty halls that projects use before they build (runs, cells)
    hall_order: Array  # PFLOPS (runs, centres)
    server_order: Array  # PFLOPS (runs, centres)
    hall_outlay: Array  # M¥ gross (runs, centres)
    server_outlay: Array  # M¥ gross (runs, centres)
    rationed: Array  # share of planned outlay that finance allowed (runs, centres)
    fill: Array  # power of servers over halls, leaning on neutral where little stands (runs, cells)


@dataclass(frozen=True)
class Supply:
    """Orders and sales of equipment in the quarter, M¥."""

    orders: Array  # equipment ordered by centres (runs, stages)
    local_share: Array  # wanted from home makers (runs, stages)
    to_centres: Array  # equipment sold to centres (runs, makers)
    local_sales: Array  # the same by stage (runs, stages)
    imports: Array  # equipment from outside (runs, stages)
    intermediate: Array  # sales of upstream stages to home makers (runs, stages)
    exports: Array  # sales of upstream stages outside (runs, stages)
    sales: Array  # (runs, makers)
    output: Array  # the same at prices without a shock (runs, makers)
    investment: Array  # capital spending of makers (runs, makers)
    capacity_next: Array  # M¥ a quarter (runs, makers)
    cumulative_next: Array  # M¥ (runs, makers)
    cost_next: Array  # index (runs, makers)
    expected_next: Array  # M¥ a quarter (runs, makers)


@dataclass(frozen=True)
class LocalDemand:
    """Demand of the home region, PFh."""

    users: Array  # (runs, users, workloads), users in the order of `bills.USERS`
    by_firm: Array  # (runs, slots)
    by_park: Array  # (runs, parks)
    park_own: Array  # PFh that parks serve themselves (runs, parks)


@dataclass(frozen=True)
class Offer:
    """What the province offers to buyers."""

    cost: Array  # variable cost yuan/PFh (runs, centres)
    price: Array  # posted price yuan/PFh (runs, centres)
    market: Array  # what the market pays before the floor at cost, yuan/PFh (runs, centres)
    size: Array  # PFLOPS that buyers see: servers and part of empty halls (runs, centres)
    size_by_kind: Array  # (runs, kinds)
    relative_price: Array  # to users here, after support, over the reference (runs, kinds)
    price_by_place: Array  # of intelligent compute to users in each place (runs, prefectures)
    outside_price: Array  # to users elsewhere, over the reference (runs, kinds)
    quality: Array  # of service, with local experience (runs, kinds)


@dataclass(frozen=True)
class Routing:
    """Where demand goes."""

    offer: Offer
    local: LocalDemand
    demand: Array  # PFh (runs, regions, workloads)
    share: Array  # (runs, regions, workloads, alternatives)
    inflow: Array  # PFh that reaches the province (runs, regions, workloads)
    overflow: Array  # PFh that eastern centres could not serve (runs, regions, workloads)
    captured: Array  # PFh of it re-routed west (runs, regions, workloads)
    own_served: Array  # PFh (runs, regions, kinds)
    rival_demand: Array  # PFh (runs, kinds)
    rival_served: Array  # PFh (runs, kinds)
    rival_capacity: Array  # PFLOPS (runs, kinds)
    price_paid: Array  # share-weighted, over the reference (runs, regions, workloads)


@dataclass(frozen=True)
class Market:
    """What was sold, at what price, and what was not."""

    routing: Routing
    sold: Array  # PFh (runs, centres)
    by_class: Array  # PFh (runs, 2, centres): real-time, batch
    inflow: Array  # PFh (runs, 2, kinds)
    served: Array  # PFh (runs, 2, kinds)
    lost: Array  # PFh turned away or never found a centre (runs, 2, kinds)
    leaked: Array  # PFh of the pool that left the province (runs, 2, kinds)
    helped: Array  # PFh of batch work that neighbours' idle centres take (runs, kinds)
    helped_home: Array  # of it, for buyers of the home region (runs, workloads)
    use: Array  # contracted use (runs, centres)
    revenue: Array  # M¥ paid by buyers and vouchers (runs, centres)
    posted: Array  # M¥ at posted prices, before the output subsidy's cut (runs, centres)
    delivered: Array  # PFh (runs, regions, workloads)
    payments: Array  # M¥ (runs, regions, workloads)
    mark_next: Array  # (runs, centres)
    tenants_next: Array  # (runs, centres)
    experience_next: Array  # (runs, regions, workloads)
    energy: Array  # MWh (runs, centres)
    national_use: Array  # (runs, kinds)
    rival_use: Array  # (runs, kinds)
    firm_fulfilment: Array  # share of home intelligent demand that is served (runs, 1)


@dataclass(frozen=True)
class Innovation:
    """Knowledge, patents and use of AI in the quarter."""

    research_spending: Array  # M¥ of AI firms out of their own money (runs, slots)
    grants: Array  # M¥ of research grants to AI firms (runs, slots)
    university_grants: Array  # M¥ (runs, universities)
    compute: Array  # PFh used by each firm, with free quota (runs, slots)
    patents: Array  # invention patents (runs, slots)
    collaboration: Array  # intensity (runs, prefectures, domains)
    absorptive: Array  # absorptive capacity (runs, slots)
    knowledge_next: Array  # (runs, slots)
    research_next: Array  # stock, M¥ (runs, slots)
    university_knowledge_next: Array  # (runs, domains, universities)
    quality: Array  # algorithm quality A (runs, domains)
    relative_quality: Array  # 1 - exp(-A/A_0) (runs, domains)
    frontier: Array  # world frontier of knowledge (runs, 1)
    deployment_next: Array  # (runs, prefectures, domains)
    adoption_next: Array  # of parks (runs, parks)
    park_servers_next: Array  # PFLOPS (runs, parks)
    park_order: Array  # PFLOPS (runs, parks)
    park_output: Array  # M¥ (runs, parks)
    density: Array  # mean share of possible ties that is active (runs, 1)


@dataclass(frozen=True)
class Labour:
    """The labour market of the quarter."""

    graduates: Array  # persons (runs, prefectures of study)
    retained: Array  # persons by prefecture of work (runs, prefectures)
    left: Array  # persons who move out (runs, prefectures)
    moved_in: Array  # staff of branches who come along (runs, prefectures)
    branches_next: Array  # recruited branches (runs, prefectures)
    branch_peak_next: Array  # MW of servers at their highest (runs, prefectures)
    talent_next: Array  # thousand (runs, prefectures)
    wage_next: Array  # k¥ a quarter (runs, prefectures)
    tightness: Array  # vacancies over searchers (runs, prefectures)
    centre_jobs: Array  # (runs, centres)
    maker_jobs: Array  # (runs, makers)
    hires: Array  # of AI firms (runs, slots)
    staff: Array  # of AI firms (runs, slots)
    researchers: Array  # of it, not in production (runs, slots)


@dataclass(frozen=True)
class Business:
    """Sales, births and exits of AI firms."""

    pool: Array  # M¥ that buyers want of local AI firms (runs, domains)
    local_pool: Array  # M¥ of it from local deployments (runs, domains)
    outside_share: Array  # of the outside market that looks to local AI firms (runs, domains)
    orders: Array  # M¥ of the pool that each firm wins (runs, slots)
    capacity: Array  # M¥ that its staff can deliver (runs, slots)
    sales: Array  # M¥ (runs, slots)
    share: Array  # of the sales of the domain (runs, slots), before births and exits
    born: Array  # 1 or 0 (runs, slots)
    exits: Array  # 1 or 0 (runs, slots)
    overflow: Array  # births that found no slot (runs, 1)
    founders: Array  # knowledge of entrants (runs, slots)

    @cached_property
    def newborn(self) -> Live:
        """The slots of entrants."""
        return Live(*live_slots(self.born))


@dataclass(frozen=True)
class Books:
    """What the quarter did to a centre, M¥."""

    surplus: Array  # gross operating surplus
    headquarters_take: Array
    headquarters_pay: Array
    depreciation: Array
    interest: Array
    repayment: Array
    borrowed: Array  # for capital
    overdraft: Array  # borrowed because cash ran out
    value_added_tax: Array
    income_tax: Array
    dividend: Array
    cash: Array
    loan: Array
    book_servers: Array
    book_halls: Array


@dataclass(frozen=True)
class RealAssets:
    """What servers and halls are worth, whoever paid for them, M¥."""

    servers: Array  # at the trend of server prices
    halls: Array
    wear: Array  # consumption of fixed capital at current replacement cost


@dataclass(frozen=True)
class Exits:
    """Centres after exits."""

    left: Array  # 1 or 0 (runs, centres)
    servers: Array  # PFLOPS (runs, centres)
    server_pipeline: Array  # PFLOPS (runs, quarters, centres)
    halls: Array  # MW (runs, centres)
    halls_pipeline: Array  # MW (runs, quarters, centres)
    nameplate: Array  # PFLOPS (runs, centres)
    power: Array  # kW/PFLOPS (runs, centres)
    pue: Array  # (runs, centres)
    book_servers: Array  # M¥ (runs, centres)
    book_halls: Array  # M¥ (runs, centres)
    real_servers: Array  # M¥ (runs, centres)
    real_halls: Array  # M¥ (runs, centres)
    paid: Array  # M¥ by buyers (runs, centres)
    received: Array  # M¥ by sellers (runs, centres)
    repaid: Array  # M¥ of their loans (runs, centres)
    left_over: Array  # M¥ for their owners (runs, centres)
    overdraft: Array  # M¥ that buyers borrow (runs, centres)
    loan: Array  # M¥ (runs, centres)
    written_off: Array  # M¥ that banks lose (runs, centres)
    insolvent: Array  # quarters in default (runs, centres)


@dataclass(frozen=True)
class Settlement:
    """Transfers of the quarter, M¥."""

    claims: dict[str, Array]  # by claimant (runs, centres or parks)
    received: dict[str, Array]  # by claimant (runs, centres or parks)
    claimed: Array  # (runs, instruments)
    paid: Array  # (runs, instruments)
    paid_share: Array  # (runs, instruments)
    payers: dict[str, Array]  # who pays (runs, prefectures + 2)


@dataclass(frozen=True)
class Accounts:
    """Flows and balances of the quarter, M¥."""

    flows: tuple[Flow, ...]
    cash: Mapping[str, Array]  # closing deposits by sector (runs, members)
    books: Books  # of centres (runs, centres)
    assets: RealAssets  # of centres (runs, centres)
    exits: Exits  # of centres
    settlement: Settlement
    local_receipts: Array  # local taxes and charges of centres and AI firms (runs, 1)
    value_added: Mapping[str, Array]  # gross, by sector (runs, members)
    wages: Mapping[str, Array]  # by sector (runs, members)
    power_bill: Array  # of centres before relief (runs, centres)
    vouchers: Mapping[str, Array]  # for compute, by sector (runs, members)
    exports: Array  # of compute (runs, 1)
    imports: Array  # of compute (runs, 1)
    added: tuple[Flow, ...]  # those of the flows that a user's functions add


@dataclass
class Quarter:
    """A quarter in the making: the state at its start, and what each stage has made so far.

    A record that no stage has returned yet cannot be read.
    """

    state: State
    drivers: Drivers = field(init=False)
    policy: Policy = field(init=False)
    investment: Investment = field(init=False)
    supply: Supply = field(init=False)
    market: Market = field(init=False)
    innovation: Innovation = field(init=False)
    labour: Labour = field(init=False)
    business: Business = field(init=False)
    accounts: Accounts = field(init=False)

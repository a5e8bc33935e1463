"""One plain object an agent: the state of one run as floats and lists, for the slow reference.

The reference works these objects one by one and never sees an array; `layout` makes them from a
row of the vectorised model and lays them out again.

Prefectures, kinds, workloads and so on are numbered by their place in the lists of `Agents`.
`luck` of an agent is its place when all agents of its sort are put in the order of their ids:
random numbers are dealt in that order.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

HOURS = 2190.0  # in a quarter
FIRST_POLICY_QUARTER = 22  # 2025Q3
GENERAL, INTELLIGENT, SUPER = 0, 1, 2
CORE, RING_1, RING_2 = 0, 1, 2  # tiers; 3 is the rest of the province


@dataclass
class Nation:
    """The national market; lists by kind of compute."""

    demand_ratio: list[float]
    use: list[float]
    rival_use: list[float]
    cash: float


@dataclass
class Province:
    """The provincial government."""

    provincial_budget_expenditure: float
    budget_expenditure: float
    gdp: float
    cash: float
    receipts: list[float]  # newest first
    receipts_before: float
    receipts_reference: float
    advantage: list[float]  # what subsidies add to log profit; newest first
    diffusion: float  # million yuan that reach the second ring's readiness this quarter


@dataclass
class Prefecture:
    """A prefecture: its government, its people, its users of AI."""

    id: int
    name: str
    tier: int
    hub: bool
    latency_extra_ms: float
    electricity_price: float
    gdp: float
    budget_expenditure: float
    readiness: float
    ambition: float
    growth: float
    match_last_year: float
    cash: float
    wage: float
    branches: float
    deployment: list[float]  # by domain
    fill_history: list[list[float]]  # [kind][lag], newest first


@dataclass
class Instrument:
    """An entry of a policy instrument: what is planned, and what became of it."""

    name: str
    programme: bool
    usual: str  # where the instrument acts if nobody says otherwise: hub, ring_1, ring_2 or all
    place: str  # where this entry acts, with bars between several names
    users: str  # whose vouchers these are, all if blank
    split: tuple[float, float, float]  # nation, province, prefectures
    rate: list[float]  # by quarter
    spending: list[float]  # million yuan a year
    envelope: list[float]  # million yuan a year
    observed: list[bool]
    shells_only: list[bool]
    paid_share: float
    envelope_weight: float
    claimed: float
    paid: float


@dataclass
class Centre:
    """A data-centre operator of one kind of compute."""

    id: int
    name: str
    luck: int
    prefecture: int
    kind: int
    owner: str
    halls: float
    halls_pipeline: list[float]  # next arrival first
    nameplate: float
    servers: float
    server_pipeline: list[float]
    power: float
    pue: float
    mark: float
    sold: float
    use: float
    quality: float
    tenants: float
    book_servers: float
    book_halls: float
    real_servers: float
    real_halls: float
    loan: float
    cash: float
    insolvent: float


@dataclass
class Maker:
    """An equipment maker."""

    id: int
    name: str
    luck: int
    stage: int
    prefecture: int
    quality: float
    capacity: float
    cost: float
    sales: float
    cash: float


@dataclass
class University:
    """A university or institute."""

    id: int
    name: str
    luck: int
    prefecture: int
    research_funds: float
    cash: float


@dataclass
class Firm:
    """A slot for an AI firm."""

    id: int
    name: str
    luck: int
    prefecture: int
    domain: int
    share: float
    sales: float
    compute: float
    cash: float


@dataclass
class Park:
    """A manufacturing park."""

    id: int
    name: str
    luck: int
    prefecture: int
    output: float
    energy_intensity: float
    first_adoption: float
    adoption: float
    servers: float
    cash: float


@dataclass
class Workload:
    """A sort of compute work."""

    name: str
    kind: int
    real_time: bool
    share_within_kind: float
    latency_disutility: float
    latency_limit_ms: float | None
    movable: float
    data_weight: float
    price_multiplier: float


@dataclass
class Buyer:
    """The buyers of one workload in one region."""

    experience: float


@dataclass
class Region:
    """A demand region, its network and its buyers (by workload)."""

    name: str
    home: bool
    paired: bool
    neighbour: bool
    demand_share: float
    electricity_price: float
    latency_home_ms: float
    latency_rival_ms: float
    latency_own_ms: float | None
    network_price: float
    buyers: list[Buyer]


@dataclass
class Hub:
    """A rival hub."""

    name: str
    electricity_price: float
    pue: float
    share: float


@dataclass
class Sectors:
    """Deposits of the passive sectors."""

    households: float
    grid: float
    bank: float
    world: float


@dataclass
class Agents:
    """Everybody, at the start of quarter `period` of one run."""

    period: int
    run: int
    p: Any  # parameters of the run as attributes, floats
    kinds: list[str]
    stages: list[str]
    domains: list[str]
    nation: Nation
    province: Province
    instruments: list[Instrument]
    table: list[list[float]]  # [quarter][kind] national capacity, PFLOPS
    prefectures: list[Prefecture]
    centres: list[Centre]
    makers: list[Maker]
    local_share: list[float]  # by stage: bought from makers at home last quarter
    universities: list[University]
    firms: list[Firm]
    parks: list[Park]
    workloads: list[Workload]
    regions: list[Region]
    hubs: list[Hub]
    sectors: Sectors
    chance: Any

    def uniform(self, process: str, count: int) -> list[float]:
        """Return this quarter's uniform numbers of the run."""
        return self.chance.uniform(process, self.period, count)[self.run].tolist()

    def normal(self, process: str, count: int) -> list[float]:
        """Return this quarter's standard normal numbers of the run."""
        return self.chance.normal(process, self.period, count)[self.run].tolist()

    def by_kind(self, stem: str) -> list[float]:
        """Return a parameter that has one value a kind."""
        return [getattr(self.p, f"{stem}_{kind}") for kind in self.kinds]

    def entries(self, name: str) -> list[Instrument]:
        """Return the entries of an instrument."""
        return [tool for tool in self.instruments if tool.name == name]

    def of_cell(self, kind: int, prefecture: int) -> list[Centre]:
        """Return the centres of a (kind, prefecture) cell."""
        return [c for c in self.centres if c.kind == kind and c.prefecture == prefecture]

    def cells(self) -> list[tuple[int, int]]:
        """Return all (kind, prefecture) cells, kinds first."""
        places = range(len(self.prefectures))
        return [(kind, place) for kind in range(len(self.kinds)) for place in places]

    def growth(self, rate: float) -> float:
        """Return what has grown since the start at a yearly rate."""
        return math.exp(rate * self.period / 4)

    @property
    def year(self) -> float:
        """Return the middle of the quarter as a decimal year."""
        return 2020 + (self.period + 0.5) / 4

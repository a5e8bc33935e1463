"""The state of a chunk of runs at the start of a quarter: arrays of shape (runs, ...).

Units, bounds and meaning of every column stand in `tables/state.csv`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from ecosystem.maths.arrays import Array
from ecosystem.maths.live import Live, live_slots


@dataclass(frozen=True)
class Nation:
    """The national market and the rival hubs, one entry a kind of compute."""

    capacity: Array  # (runs, kinds)
    capacity_history: Array  # (runs, 4, kinds), newest first
    demand_ratio: Array  # (runs, kinds)
    use: Array  # (runs, kinds)
    use_2024: Array  # (runs, kinds)
    rival_use: Array  # (runs, kinds)
    power: Array  # (runs, kinds)


@dataclass(frozen=True)
class Governments:
    """Prefecture, provincial and national governments."""

    readiness: Array  # (runs, prefectures)
    ambition: Array  # (runs, prefectures)
    activity: Array  # (runs, prefectures)
    growth: Array  # (runs, prefectures)
    match: Array  # (runs, prefectures)
    match_last_year: Array  # (runs, prefectures)
    paid_share: Array  # (runs, instruments)
    envelope_weight: Array  # (runs, instruments)
    claimed: Array  # (runs, instruments)
    paid: Array  # (runs, instruments)
    receipts: Array  # (runs, 4), newest first
    receipts_before: Array  # (runs, 1)
    receipts_reference: Array  # (runs, 1)
    advantage: Array  # (runs, 4), newest first
    diffusion: Array  # (runs, 1)
    cash: Array  # (runs, prefectures + 2): prefectures, province, nation


@dataclass(frozen=True)
class Centres:
    """Data-centre operators, one kind of compute a row."""

    halls: Array  # (runs, centres)
    halls_pipeline: Array  # (runs, hall quarters, centres), next arrival first
    nameplate: Array  # (runs, centres)
    servers: Array  # (runs, centres)
    server_pipeline: Array  # (runs, server quarters, centres), next arrival first
    power: Array  # (runs, centres)
    pue: Array  # (runs, centres)
    mark: Array  # (runs, centres)
    sold: Array  # (runs, centres)
    use: Array  # (runs, centres)
    fill_history: Array  # (runs, 4, kinds * prefectures), newest first
    quality: Array  # (runs, centres)
    tenants: Array  # (runs, centres)
    book_servers: Array  # (runs, centres)
    book_halls: Array  # (runs, centres)
    real_servers: Array  # (runs, centres)
    real_halls: Array  # (runs, centres)
    loan: Array  # (runs, centres)
    cash: Array  # (runs, centres)
    insolvent: Array  # (runs, centres)


@dataclass(frozen=True)
class Makers:
    """Equipment makers by stage of the chain."""

    capacity: Array  # (runs, makers)
    cumulative: Array  # (runs, makers)
    cost: Array  # (runs, makers)
    sales: Array  # (runs, makers)
    cash: Array  # (runs, makers)
    local_share: Array  # (runs, stages)


@dataclass(frozen=True)
class Universities:
    """Universities and institutes."""

    knowledge: Array  # (runs, domains, universities)
    cash: Array  # (runs, universities)


@dataclass(frozen=True)
class Firms:
    """AI firms, one row a slot of a (prefecture, domain) cell."""

    active: Array  # (runs, slots), 1 or 0
    age: Array  # (runs, slots)
    knowledge: Array  # (runs, slots)
    research: Array  # (runs, slots)
    staff: Array  # (runs, slots)
    share: Array  # (runs, slots)
    sales: Array  # (runs, slots)
    orders: Array  # (runs, slots)
    compute: Array  # (runs, slots)
    cash: Array  # (runs, slots)
    generation: Array  # (runs, slots)

    @cached_property
    def live(self) -> Live:
        """The slots that hold a firm."""
        return Live(*live_slots(self.active))


@dataclass(frozen=True)
class Parks:
    """Manufacturing parks with their industrial-internet platforms."""

    adoption: Array  # (runs, parks)
    servers: Array  # (runs, parks)
    opening_purchases: Array  # (runs, parks)
    cash: Array  # (runs, parks)


@dataclass(frozen=True)
class Buyers:
    """Compute buyers, one a demand region and workload."""

    experience: Array  # (runs, regions, workloads)
    price: Array  # (runs, regions, workloads)
    noise: Array  # (runs, regions, workloads)


@dataclass(frozen=True)
class Society:
    """Talent, wages and deployment of AI by prefecture."""

    talent: Array  # (runs, prefectures)
    wage: Array  # (runs, prefectures)
    tightness: Array  # (runs, prefectures)
    deployment: Array  # (runs, prefectures, domains)
    quality_start: Array  # (runs, domains)
    variety_start: Array  # (runs, domains)
    branches: Array  # (runs, prefectures)
    branch_peak: Array  # (runs, prefectures)


@dataclass(frozen=True)
class Sectors:
    """Deposits and loans of the passive sectors."""

    households: Array  # (runs, 1)
    grid: Array  # (runs, 1)
    bank: Array  # (runs, 1)
    world: Array  # (runs, 1)


@dataclass(frozen=True)
class State:
    """State of all runs of a chunk at the start of quarter `period` (0 is the first)."""

    period: int
    nation: Nation
    governments: Governments
    centres: Centres
    makers: Makers
    universities: Universities
    firms: Firms
    parks: Parks
    buyers: Buyers
    society: Society
    sectors: Sectors

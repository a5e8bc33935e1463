"""How each pattern of ``patterns.csv`` is measured, one number a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ecosystem.inputs.calendar import HORIZON, HUB_START, QUARTERS_A_YEAR, mid_year, period_index
from ecosystem.maths.arrays import Array, safe_ratio, total
from ecosystem.maths.clearing import spread
from ecosystem.maths.kernels import HOURS
from ecosystem.outcomes import measure
from ecosystem.outcomes.capacity import cost_of_centres
from ecosystem.outcomes.shared import fp32
from ecosystem.quarter.start import initial_state
from ecosystem.quarter.step import step
from ecosystem.state.records import Quarter
from ecosystem.state.setting import Setting

EARLY, LATE = period_index("2022Q4"), period_index("2025Q2")
WITHIN = 8
"""Quarters from the start of a boom to the lowest use, and from there to the look at recovery."""
TOP = 0.1
"""Largest part of the AI firms, whose sales are the tail."""


@dataclass(frozen=True)
class Course:
    """What is kept of a chunk of runs.

    Parameters
    ----------
    setting
        What the runs were given.
    series
        Values by quarter, (runs, quarters) each.
    late, end
        The record of 2025Q2 and of the last quarter.
    """

    setting: Setting
    series: dict[str, Array]
    late: Quarter
    end: Quarter


def follow(setting: Setting) -> Course:
    """Run to the horizon and keep what the measures need."""
    state = initial_state(setting)
    columns: dict[str, list[Array]] = {}
    kept: dict[int, Quarter] = {}
    for t in range(HORIZON):
        state, quarter = step(state, setting)
        for name, value in watch(quarter, setting).items():
            columns.setdefault(name, []).append(value)
        if t in (LATE, HORIZON - 1):
            kept[t] = quarter
    series = {name: np.stack(values, axis=1) for name, values in columns.items()}
    return Course(setting, series, kept[LATE], kept[HORIZON - 1])


def watch(quarter: Quarter, setting: Setting) -> dict[str, Array]:
    """Return what is kept of every quarter, (runs,) each."""
    world, found = setting.world, measure(quarter, setting)
    at_hub = world.centres.in_hub & world.centres.intelligent
    patents, where = quarter.innovation.patents, world.firms.prefecture
    built = quarter.investment
    values = {
        "hub_halls": found["halls_hub"],
        "hub_servers": found["servers_hub"],
        "hub_sold": total(quarter.market.sold * at_hub) / HOURS,
        "servers": found["servers"][:, world.kinds.intelligent],
        "use": found["use_by_kind"][:, world.kinds.intelligent],
        "exported": found["compute_exported"],
        "local": found["local_use"],
        "capital": total(built.hall_outlay) + total(built.server_outlay),
        "settled": total(quarter.accounts.value_added["centres"]),
        "revenue": total(quarter.market.revenue),
        "survival": found["firm_survival"],
        "patents": total(patents),
        "patents_ring_1": total(patents * world.prefectures.ring_1[where]),
    }
    return {name: value[:, 0] for name, value in values.items()}


def last_year(course: Course, name: str, period: int) -> Array:
    """Return the sum of four quarters to a period, (runs,)."""
    return course.series[name][:, period + 1 - QUARTERS_A_YEAR : period + 1].sum(axis=1)


def yearly_mean(values: Array) -> Array:
    """Return the mean of the four quarters that end in each, (runs, quarters); first three NaN."""
    sums = np.cumsum(np.pad(values, ((0, 0), (1, 0))), axis=1)
    means = (sums[:, QUARTERS_A_YEAR:] - sums[:, :-QUARTERS_A_YEAR]) / QUARTERS_A_YEAR
    return np.pad(means, ((0, 0), (QUARTERS_A_YEAR - 1, 0)), constant_values=np.nan)


def fall_of_use(course: Course) -> tuple[Array, Array]:
    """Return the fall of use after the fastest year of building, and the part regained, (runs,).

    The second is NaN where use does not fall.
    """
    servers, use = course.series["servers"], yearly_mean(course.series["use"])
    runs = np.arange(len(servers))
    first = HUB_START + QUARTERS_A_YEAR - 1
    ends = np.arange(first, LATE + 1)
    growth = np.log(servers[:, ends] / servers[:, ends - QUARTERS_A_YEAR])
    end = ends[growth.argmax(axis=1)]
    before = use[runs, end - QUARTERS_A_YEAR]
    after = end[:, None] + np.arange(WITHIN - QUARTERS_A_YEAR + 2)
    place = use[runs[:, None], after].argmin(axis=1)
    trough = after[runs, place]
    lowest = use[runs, trough]
    fall = before - lowest
    later = use[runs, trough + WITHIN]
    regained = np.where(fall > 0, (later - lowest) / np.where(fall > 0, fall, 1.0), np.nan)
    return fall, regained


def hub_share(course: Course) -> Array:
    """Return the hub's share of intelligent servers by quarter, (runs, quarters)."""
    return safe_ratio(course.series["hub_servers"], course.series["servers"])


def fastest_rise(course: Course) -> Array:
    """Return the decimal year at the end of the fastest four quarters of that share, (runs,)."""
    share = hub_share(course)
    rise = share[:, QUARTERS_A_YEAR:] - share[:, :-QUARTERS_A_YEAR]
    half = 0.5 / QUARTERS_A_YEAR
    return mid_year(0) + half + (rise.argmax(axis=1) + QUARTERS_A_YEAR) / QUARTERS_A_YEAR


def funnel_order(course: Course) -> Array:
    """Return the smaller of halls over servers and servers over contracts at the hub."""
    halls, servers, sold = (
        course.series[f"hub_{name}"][:, LATE] for name in ("halls", "servers", "sold")
    )
    return np.minimum(safe_ratio(halls, servers, np.nan), safe_ratio(servers, sold, np.nan))


def general_outside(course: Course) -> Array:
    """Return the share of general servers outside the core."""
    world = course.setting.world
    general = course.late.investment.servers * world.centres.general
    away = ~world.centres.core
    return safe_ratio(total(general * away), total(general))[:, 0]


def export_share(course: Course) -> Array:
    """Return compute delivered outside over all."""
    abroad, here = (last_year(course, name, LATE) for name in ("exported", "local"))
    return safe_ratio(abroad, abroad + here)


def centre_jobs(course: Course) -> Array:
    """Return jobs in centres per 100 M¥ of their capital spending so far."""
    spent = course.series["capital"][:, : LATE + 1].sum(axis=1)
    return 100 * total(course.late.labour.centre_jobs)[:, 0] / spent


def firm_jobs(course: Course) -> Array:
    """Return the same of AI firms per 100 M¥ of founding capital, over that of centres."""
    founded = total(course.late.state.firms.generation)
    capital = course.setting.parameters.founding_capital * founded
    return (100 * total(course.late.labour.staff) / capital)[:, 0] / centre_jobs(course)


def each(course: Course, measure_one: Callable[[Array], float]) -> Array:
    """Return a measure of the use of the centres that run, run by run."""
    servers = course.late.investment.servers
    use = safe_ratio(course.late.market.sold, HOURS * servers)
    return np.array([measure_one(own[on]) for own, on in zip(use, servers > 0, strict=True)])


def skewness(values: Array) -> float:
    """Return the third standardised moment."""
    gaps = values - values.mean()
    return float(np.mean(gaps**3) / np.mean(gaps**2) ** 1.5)


def weak_centres(course: Course) -> tuple[Array, Array, Array]:
    """Return which centres are small, remote or old (1 or 0); hours; and idle hours.

    Arrays are (runs, centres), hours FP32-weighted and per quarter.
    """
    world, built = course.setting.world, course.late.investment
    hours = HOURS * built.servers * fp32(course.setting)
    idle = hours - course.late.market.sold * fp32(course.setting)
    middle = np.nanmedian(np.where(hours > 0, hours, np.nan), axis=1, keepdims=True)
    power = world.centres.sum(built.servers * built.power, "kind")
    mean = safe_ratio(power, world.centres.sum(built.servers, "kind"))
    remote = world.centres.ring_2 | world.centres.other
    old = built.power > spread(mean, world.centres.kind)
    return ((hours < middle) | remote | old).astype(float), hours, idle


def idle_in_weak(course: Course) -> Array:
    """Return the share of idle hours that such centres have."""
    weak, _, idle = weak_centres(course)
    return safe_ratio(total(idle * weak), total(idle))[:, 0]


def idler(course: Course) -> Array:
    """Return the idle share of such centres less that of the others."""
    weak, hours, idle = weak_centres(course)
    theirs, others = (
        safe_ratio(total(idle * part), total(hours * part), np.nan) for part in (weak, 1 - weak)
    )
    return (theirs - others)[:, 0]


def cost_slope(course: Course) -> Array:
    """Return the slope of log unit cost on log use over centres, kinds apart."""
    quarter, setting = course.late, course.setting
    kind, servers, sold = (
        setting.world.centres.kind,
        quarter.investment.servers,
        quarter.market.sold,
    )
    cost = cost_of_centres(quarter, setting)
    slopes = []
    for run in range(setting.runs):
        on = (sold[run] > 0) & (servers[run] > 0)
        x = np.log(sold[run, on] / servers[run, on])
        y = np.log(cost[run, on] / sold[run, on])
        apart = np.eye(len(setting.world.kinds))[kind[on]]
        design = np.column_stack([x, apart[:, apart.any(axis=0)]])
        slopes.append(np.linalg.lstsq(design, y)[0][0])
    return np.array(slopes)


def largest_firms(course: Course) -> list[tuple[Array, float]]:
    """Return sales of the largest tenth of AI firms at the end, and of all, run by run."""
    firms, sales = course.end.state.firms, course.end.business.sales
    found = []
    for own, on in zip(sales, firms.active > 0, strict=True):
        ordered = np.sort(own[on])[::-1]
        found.append((ordered[: max(int(TOP * len(ordered)), 2)], float(ordered.sum())))
    return found


def tail_index(course: Course) -> Array:
    """Return Hill's index of that tenth (Hill 1975); small is a fat tail."""
    return np.array([1 / np.mean(np.log(top[:-1] / top[-1])) for top, _ in largest_firms(course)])


def top_share(course: Course) -> Array:
    """Return the share of that tenth in sales."""
    return np.array([top.sum() / whole for top, whole in largest_firms(course)])


def patents_in_capital(course: Course) -> Array:
    """Return the first ring's share of patents in the last year."""
    ring, whole = (last_year(course, n, HORIZON - 1) for n in ("patents_ring_1", "patents"))
    return safe_ratio(ring, whole, np.nan)


MEASURES: dict[str, Callable[[Course], Array]] = {
    "funnel_order": funnel_order,
    "funnel_gap": lambda c: safe_ratio(
        c.series["hub_sold"][:, LATE], c.series["hub_halls"][:, LATE], np.nan
    ),
    "use_falls": lambda c: fall_of_use(c)[0],
    "use_recovers_slowly": lambda c: fall_of_use(c)[1],
    "hub_share_early": lambda c: hub_share(c)[:, EARLY],
    "hub_share_late": lambda c: hub_share(c)[:, LATE],
    "hub_share_s_shape": fastest_rise,
    "general_stays": general_outside,
    "exports_dominate": export_share,
    "centres_employ_few": centre_jobs,
    "firms_employ_more": firm_jobs,
    "little_is_settled_here": lambda c: safe_ratio(
        last_year(c, "settled", LATE), last_year(c, "revenue", LATE)
    ),
    "use_is_skewed": lambda c: each(c, skewness),
    "many_stand_idle": lambda c: each(c, lambda use: float(np.mean(use < 0.3))),
    "few_are_full": lambda c: each(c, lambda use: float(np.mean(use > 0.9))),
    "idle_is_weak": idle_in_weak,
    "weak_are_idler": idler,
    "cost_falls_with_use": cost_slope,
    "firm_sizes_have_a_tail": tail_index,
    "few_firms_sell_most": top_share,
    "most_births_die": lambda c: c.series["survival"][:, LATE - 11 : LATE + 1].mean(axis=1),
    "capital_keeps_patents": patents_in_capital,
}
"""What is measured of each pattern, (runs,)."""

"""Reference of the start: everybody at the beginning of 2020Q1, one agent at a time."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

from .agents import HOURS, INTELLIGENT, Agents
from .closed_forms import ratio
from .layout import from_state, table_rows

FIRST_YEAR = 2020.125  # middle of the first quarter
HALL_QUARTERS, SERVER_QUARTERS, LAGS = 3, 2, 4

Columns = dict[str, Any]


class OneRun:
    """Nested lists of one run, read with the run's number in front as arrays are."""

    def __init__(self, run: int, columns: Any) -> None:
        self.run, self.columns = run, columns

    def __getitem__(self, key: Any) -> Any:
        run, *inner = key if isinstance(key, tuple) else (key,)
        assert run == self.run
        value = self.columns
        for index in inner:
            value = value[index]
        return value


def reference_start(setting: Any, run: int) -> Agents:
    """Return the agents of one run at the start of 2020Q1."""
    values = {name: float(column[run, 0]) for name, column in setting.parameters._columns.items()}
    start = Start(setting, run, SimpleNamespace(**values))
    groups = {
        "nation": start.nation(),
        "governments": start.governments(),
        "centres": start.centres(),
        "makers": start.makers(),
        "universities": start.universities(),
        "firms": start.firms(),
        "parks": start.parks(),
        "buyers": start.buyers(),
        "society": start.society(),
        "sectors": {name: [0.0] for name in ("households", "grid", "bank", "world")},
    }
    state = SimpleNamespace(
        period=0,
        **{
            name: SimpleNamespace(**{key: OneRun(run, value) for key, value in group.items()})
            for name, group in groups.items()
        },
    )
    return from_state(state, setting, run)


def column(rows: list[Columns], names: list[str] | None = None) -> Columns:
    """Return one list a name from one dict an agent; lists by quarter come with quarters first."""
    result = {}
    for name in names or list(rows[0]):
        values = [row[name] for row in rows]
        lists = isinstance(values[0], list)
        result[name] = [list(lag) for lag in zip(*values, strict=True)] if lists else values
    return result


class Start:
    """What is known of a run before the first quarter."""

    def __init__(self, setting: Any, run: int, p: Any) -> None:
        self.world, self.chance, self.run, self.p = setting.world, setting.chance, run, p
        self.table = setting.national_table[run].tolist()
        self.instruments = len(setting.schedule.names)
        self.kinds = list(setting.world.kinds)

    def luck(self, process: str, count: int) -> list[float]:
        """Return normal numbers of the first quarter."""
        return self.chance.normal(process, 0, count)[self.run].tolist()

    def by_kind(self, stem: str) -> list[float]:
        """Return a parameter that has one value a kind."""
        return [getattr(self.p, f"{stem}_{kind}") for kind in self.kinds]

    def then(self, value: float, halving_time: float) -> float:
        """Return what a value of the reference year was at the start."""
        years = FIRST_YEAR - self.p.price_reference_year
        return value * 2 ** (-years / halving_time)

    def nation(self) -> Columns:
        """Return the national market, its past the first quarter's growth run backwards."""
        now, growth = self.table[0], []
        for k in range(len(self.kinds)):
            growth.append(self.table[1][k] / now[k])
        past = [[now[k] / growth[k] ** lag for k in range(len(now))] for lag in range(1, LAGS + 1)]
        ratio_start = self.by_kind("demand_ratio_start")
        same = dict.fromkeys(("demand_ratio", "use", "use_2024", "rival_use"), ratio_start)
        powers = zip(self.by_kind("power"), self.by_kind("power_halving_time"), strict=True)
        power = [self.then(value, halving) for value, halving in powers]
        return {"capacity": now, "capacity_history": past, "power": power, **same}

    def governments(self) -> Columns:
        """Return governments that owe nothing and have paid all that was claimed."""
        rows = table_rows(self.world.prefectures)
        count, zero = len(rows), [0.0] * self.instruments
        one = [1.0] * self.instruments
        return {
            "readiness": [row["readiness"] for row in rows],
            "ambition": [row["ambition"] for row in rows],
            "activity": [0.0] * count,
            "growth": [0.0] * count,
            "match": [1.0] * count,
            "match_last_year": [1.0] * count,
            "paid_share": one,
            "envelope_weight": one,
            "claimed": zero,
            "paid": zero,
            "receipts": [0.0] * LAGS,
            "receipts_before": [0.0],
            "receipts_reference": [0.0],
            "advantage": [0.0] * LAGS,
            "diffusion": [0.0],
            "cash": [0.0] * (count + 2),
        }

    def centres(self) -> Columns:
        """Return centres in halls of the usual fill, with books and loans."""
        p, rows = self.p, table_rows(self.world.centres)
        quality = self.luck("service quality", len(rows))
        tenants = self.luck("first tenants", len(rows))
        result = []
        for row in rows:
            kind, servers = row["kind"], row["servers"]
            power = self.then(self.by_kind("power")[kind], self.by_kind("power_halving_time")[kind])
            server_cost, hall_cost = self.costs(kind)
            carried = servers / p.initial_fill  # PFLOPS that its halls could hold
            book_servers = p.opening_book * server_cost * servers
            book_halls = hall_cost * carried
            use = self.by_kind("demand_ratio_start")[kind] if servers > 0 else 0.0
            log_quality = p.quality_log_sd * quality[row["luck"]] - p.quality_log_sd**2 / 2
            result.append(
                {
                    "halls": carried * power / 1000,
                    "halls_pipeline": [0.0] * HALL_QUARTERS,
                    "servers": servers,
                    "server_pipeline": [0.0] * SERVER_QUARTERS,
                    "power": power,
                    "pue": row["pue"],
                    "mark": 0.0,
                    "sold": use * servers * HOURS,
                    "use": use,
                    "quality": math.exp(log_quality),
                    "tenants": p.tenant_sd * tenants[row["luck"]],
                    "book_servers": book_servers,
                    "book_halls": book_halls,
                    "loan": p.opening_loan * p.local_settlement * (book_servers + book_halls),
                    "cash": p.opening_cash * (book_servers + book_halls),
                    "insolvent": 0.0,
                }
            )
        return {**column(result), "fill_history": [self.fill(rows)] * LAGS}

    def costs(self, kind: int) -> tuple[float, float]:
        """Return the cost of servers and of halls at the start, M¥/PFLOPS."""
        p = self.p
        halving = self.by_kind("price_halving_time")[kind]
        servers = self.then(self.by_kind("server_cost")[kind], halving)
        if kind == INTELLIGENT:
            return servers, self.then(p.hall_cost_intelligent, p.power_halving_time_intelligent)
        return servers, p.hall_cost_share * servers

    def fill(self, rows: list[Columns]) -> list[float]:
        """Return fill by cell, leaning on the neutral fill where little stands."""
        p, result = self.p, []
        for kind in range(len(self.kinds)):
            for place in range(self.world.prefectures.count):
                here = (kind, place)
                stands = math.fsum(
                    row["servers"] for row in rows if (row["kind"], row["prefecture"]) == here
                )
                filled = stands + p.use_prior_capacity * p.neutral_fill
                result.append(filled / (stands / p.initial_fill + p.use_prior_capacity))
        return result

    def makers(self) -> Columns:
        """Return makers at their target use, with years of experience behind them."""
        p, rows = self.p, table_rows(self.world.makers)
        sales = [p.maker_target_use * row["capacity"] for row in rows]
        return {
            "capacity": [row["capacity"] for row in rows],
            "cumulative": [p.initial_experience_quarters * s for s in sales],
            "cost": [1.0] * len(rows),
            "sales": sales,
            "cash": [0.0] * len(rows),
            "local_share": [getattr(p, f"home_preference_{name}") for name in self.world.stages],
        }

    def universities(self) -> Columns:
        """Return universities with the knowledge of the world table."""
        known = self.world.universities.knowledge.tolist()
        return {"knowledge": known, "cash": [0.0] * len(known[0])}

    def firms(self) -> Columns:
        """Return the first AI firms, lognormal in sales and in knowledge."""
        p, rows = self.p, table_rows(self.world.firms)
        luck = self.luck("first firms", 2 * len(rows))
        result = []
        for row in rows:
            size, wisdom = luck[2 * row["luck"]], luck[2 * row["luck"] + 1]
            sd = p.initial_sales_log_sd
            sales = p.initial_sales * math.exp(sd * size - sd * sd / 2) if row["initial"] else 0.0
            known = math.exp(p.initial_knowledge_log_sd * wisdom) if row["initial"] else 0.0
            result.append(
                {
                    "active": 1.0 if row["initial"] else 0.0,
                    "age": p.young_quarters if row["initial"] else 0.0,
                    "knowledge": known,
                    "research": p.research_intensity * sales / p.research_depreciation,
                    "staff": sales / p.sales_per_worker,
                    "sales": sales,
                    "compute": 0.0,
                    "cash": p.initial_cash_quarters * sales,
                    "generation": 1.0 if row["initial"] else 0.0,
                }
            )
        for row, firm in zip(rows, result, strict=True):
            rivals = [r["sales"] for r, x in zip(result, rows, strict=True) if same_domain(x, row)]
            firm["share"] = ratio(firm["sales"], math.fsum(rivals))
        return column(result)

    def parks(self) -> Columns:
        """Return parks without servers of their own."""
        rows = table_rows(self.world.parks)
        zero = [0.0] * len(rows)
        return {"adoption": [row["adoption"] for row in rows], "servers": zero, "cash": zero}

    def buyers(self) -> Columns:
        """Return buyers at reference prices, with the experience of the start."""
        works, regions = self.world.workloads.count, self.world.regions.count

        def grid(value: float) -> list[list[float]]:
            return [[value] * works for _ in range(regions)]

        return {
            "experience": grid(self.p.initial_experience),
            "price": grid(1.0),
            "noise": grid(0.0),
        }

    def society(self) -> Columns:
        """Return people and deployments of the start; branches follow what is added to servers."""
        rows = table_rows(self.world.prefectures)
        megawatt = [0.0] * len(rows)
        powers = zip(self.by_kind("power"), self.by_kind("power_halving_time"), strict=True)
        power = [self.then(value, halving) for value, halving in powers]
        for centre in table_rows(self.world.centres):
            megawatt[centre["prefecture"]] += centre["servers"] * power[centre["kind"]] / 1000
        return {
            "talent": [row["talent"] for row in rows],
            "wage": [row["wage"] for row in rows],
            "tightness": [0.0] * len(rows),
            "branches": [0.0] * len(rows),
            "branch_peak": megawatt,
            "deployment": [[self.p.deployment_start] * self.world.domains.count for _ in rows],
        }


def same_domain(one: Columns, other: Columns) -> bool:
    """Say whether two slots are of one domain."""
    return one["domain"] == other["domain"]

"""S7: who pays whom. The quarter's flows are listed once and booked once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ecosystem.extend import add_flows, check_flows
from ecosystem.maths.arrays import Array, total
from ecosystem.stages import flows
from ecosystem.stages.dispatch import Market
from ecosystem.stages.drivers import Drivers
from ecosystem.stages.exits import Exits, exit_centres
from ecosystem.stages.finance import Books
from ecosystem.stages.innovation import Innovation
from ecosystem.stages.investment import Investment
from ecosystem.stages.labour import Business, Labour
from ecosystem.stages.policy import Policy
from ecosystem.stages.settlement import Settlement, settle
from ecosystem.stages.supply_chain import Supply
from ecosystem.state.ledger import Flow, Ledger
from ecosystem.state.setting import Setting
from ecosystem.state.state import State


@dataclass(frozen=True)
class Accounts:
    """Flows and balances of the quarter, M¥."""

    flows: tuple[Flow, ...]
    cash: Mapping[str, Array]  # closing deposits by sector (runs, members)
    books: Books  # of centres (runs, centres)
    exits: Exits  # of centres
    settlement: Settlement
    taxes: Array  # (runs, 2): local, national
    sector_taxes: Mapping[str, Array]  # (runs, 1)
    local_receipts: Array  # local taxes of centres and AI firms (runs, 1)
    value_added: Mapping[str, Array]  # gross, by sector (runs, members)
    wages: Mapping[str, Array]  # by sector (runs, members)
    power_bill: Array  # of centres before relief (runs, centres)
    exports: Array  # of compute (runs, 1)
    imports: Array  # of compute (runs, 1)
    added: tuple[Flow, ...]  # those of the flows that a user's functions add


def account(
    state: State,
    drivers: Drivers,
    policy: Policy,
    investment: Investment,
    supply: Supply,
    market: Market,
    innovation: Innovation,
    labour: Labour,
    business: Business,
    setting: Setting,
) -> Accounts:
    """List the flows of the quarter, book them and close every account.

    Source: the transaction matrix of the model; each row sums to zero by construction.
    """
    ledger = Ledger(state)
    settlement = settle(state.period, drivers, policy, investment, market, innovation, setting)
    compute = flows.compute_sales(ledger, drivers, market, settlement, setting)
    centre, books, bill = flows.centre_flows(
        ledger, state, drivers, policy, investment, supply, market, labour, settlement, setting
    )
    results = {
        "centres": centre,
        "makers": flows.maker_flows(ledger, state, supply, labour, setting),
        "firms": flows.firm_flows(
            ledger, state, innovation, labour, business, compute["firms"], setting
        ),
        "parks": flows.park_flows(ledger, state, drivers, policy, innovation, settlement, setting),
    }
    flows.branch_flows(ledger, state, setting)
    university = flows.university_flows(ledger, state, innovation, setting)
    flows.programme_flows(ledger, innovation, policy, setting)
    taxes, receipts = flows.tax_flows(ledger, results, setting)
    grid = ledger.received_by("grid")
    outside = setting.parameters.generation_outside_share * grid
    ledger.add("generation", "grid", outside, "world")
    ledger.add("generation", "grid", grid - outside, "households")
    exits = exit_centres(state, investment, books, policy.local_settlement, setting)
    flows.sell_centres(ledger, exits)
    added = add_flows(
        ledger, state, setting, drivers=drivers, policy=policy, investment=investment,
        supply=supply, market=market, innovation=innovation, labour=labour, business=business,
    )  # fmt: skip
    flows.wind_up(ledger, business)
    check_flows(ledger.flows, state, setting)
    return Accounts(
        flows=tuple(ledger.flows),
        cash=ledger.balance,
        books=books,
        exits=exits,
        settlement=settlement,
        taxes=taxes,
        sector_taxes={name: total(r.value_added_tax + r.income_tax) for name, r in results.items()},
        local_receipts=receipts,
        value_added={name: r.value_added for name, r in results.items()}
        | {"universities": university},
        wages={name: r.wages for name, r in results.items()} | {"universities": university},
        power_bill=bill,
        exports=compute["exports"],
        imports=compute["imports"],
        added=added,
    )

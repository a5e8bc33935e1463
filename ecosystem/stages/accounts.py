"""S7: who pays whom. The quarter's flows are listed once and booked once."""

from __future__ import annotations

from ecosystem.extend import add_flows, check_flows
from ecosystem.maths.arrays import total
from ecosystem.stages import flows
from ecosystem.stages.exits import exit_centres
from ecosystem.stages.settlement import settle
from ecosystem.state.ledger import Ledger
from ecosystem.state.records import Accounts, Quarter
from ecosystem.state.setting import Setting


def account(quarter: Quarter, setting: Setting) -> Accounts:
    """List the flows of the quarter, book them and close every account.

    Source: the transaction matrix of the model; each row sums to zero by construction.
    """
    state, drivers, policy = quarter.state, quarter.drivers, quarter.policy
    investment, supply, market = quarter.investment, quarter.supply, quarter.market
    innovation, labour, business = quarter.innovation, quarter.labour, quarter.business
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
    exits = exit_centres(quarter, books, setting)
    flows.sell_centres(ledger, exits)
    added = add_flows(ledger, quarter, setting)
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

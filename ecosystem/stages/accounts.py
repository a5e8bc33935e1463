"""S7: who pays whom. The quarter's flows are listed once and booked once."""

from __future__ import annotations

from ecosystem.extend import add_flows, check_flows
from ecosystem.maths.arrays import Array, add_up, total
from ecosystem.stages import flows
from ecosystem.stages.books import real_assets
from ecosystem.stages.charges import charge_flows
from ecosystem.stages.exits import exit_centres
from ecosystem.stages.settlement import power_bill, settle
from ecosystem.state.ledger import Flow, Ledger, Purpose, select
from ecosystem.state.records import Accounts, Quarter
from ecosystem.state.setting import Setting


def account(quarter: Quarter, setting: Setting) -> Accounts:
    """List the flows of the quarter, book them and close every account.

    Source: the transaction matrix of the model; each row sums to zero by construction.
    """
    ledger, settlement = Ledger(quarter.state), settle(quarter, setting)
    compute = flows.compute_flows(ledger, quarter, settlement, setting)
    centres, books = flows.centre_flows(ledger, quarter, settlement, setting)
    results = {
        "centres": centres,
        "makers": flows.maker_flows(ledger, quarter, setting),
        "firms": flows.firm_flows(ledger, quarter, compute, setting),
        "parks": flows.park_flows(ledger, quarter, settlement, setting),
    }
    flows.branch_flows(ledger, quarter, setting)
    university = flows.university_flows(ledger, quarter, setting)
    flows.programme_flows(ledger, quarter, setting)
    flows.tax_flows(ledger, results, setting)
    charge_flows(ledger, quarter, setting)
    flows.generation_flows(ledger, setting)
    assets = real_assets(quarter, setting)
    exits = exit_centres(quarter, books, assets, setting)
    flows.exit_flows(ledger, exits, setting)
    added = add_flows(ledger, quarter, setting)
    flows.wind_up(ledger, quarter)
    check_flows(ledger.flows, quarter.state, setting)
    return Accounts(
        flows=tuple(ledger.flows),
        cash=ledger.balance,
        books=books,
        assets=assets,
        exits=exits,
        settlement=settlement,
        local_receipts=local_receipts(ledger.flows),
        value_added={name: result.value_added for name, result in results.items()}
        | {"universities": university},
        wages={name: result.wages for name, result in results.items()}
        | {"universities": university},
        power_bill=power_bill(quarter, setting),
        vouchers=compute.vouchers,
        exports=compute.exports,
        imports=add_up(total(paid) for paid in compute.there.values()),
        added=added,
    )


def local_receipts(listed: list[Flow]) -> Array:
    """Return what prefectures and province get in taxes and charges of centres and AI firms."""
    paid = [
        flow
        for payer in ("centres", "firms")
        for flow in select(listed, Purpose.TAX, Purpose.CHARGE, payer=payer, receiver="government")
    ]
    return add_up(total(flow.received[:, :-1]) for flow in paid)

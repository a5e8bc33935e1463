"""Outcomes of value added, public money and the spread over prefectures."""

from __future__ import annotations

from functools import cache

import numpy as np

from ecosystem.maths import kernels
from ecosystem.maths.arrays import Array, add_up, safe_ratio, total
from ecosystem.outcomes.shared import Equations, base_park_output, by_tier
from ecosystem.stages.charges import charges_due
from ecosystem.stages.finance import close_statements
from ecosystem.stages.parks import adoption_wear, value_added_gain
from ecosystem.state.ledger import Purpose, amount, public_cost, receipts, select, split_evenly
from ecosystem.state.records import Quarter
from ecosystem.state.setting import Setting


def measure_money(quarter: Quarter, setting: Setting) -> Equations:
    """Return the equations of value added, public money and the spread over prefectures."""
    world, p, t = setting.world, setting.parameters, quarter.state.period
    accounts, schedule = quarter.accounts, setting.schedule
    people, tiers = world.prefectures.population, world.prefectures.tier.astype(int)
    by_place = cache(lambda: value_added_by_place(quarter, setting))
    gross = cache(lambda: add_up(by_place()[0].values()))
    net = cache(lambda: add_up(by_place()[1].values()))
    gained = cache(lambda: total(value_added_gain(quarter, setting)))
    paid = cache(lambda: public_cost(accounts.flows))
    prefecture = cache(lambda: total(paid()[:, :-2]))
    province = cache(lambda: paid()[:, [-2]])
    nation = cache(lambda: paid()[:, [-1]])
    cost = cache(lambda: prefecture() + province() + nation())
    taxes = cache(lambda: tax_receipts(quarter, setting))
    wealth = cache(lambda: world.prefectures.gdp / 4 * np.exp(p.gdp_growth * t / 4) + net())
    theil = cache(lambda: kernels.theil_between_within(wealth(), people, tiers))
    return {
        "regional_value_added": lambda: total(net()) + gained(),
        "local_value_added_net": lambda: total(net()),
        "park_value_added_gain": gained,
        "park_adoption_wear": lambda: total(adoption_wear(quarter, setting)),
        "value_added_centres": lambda: total(by_place()[1]["centres"]),
        "value_added_makers": lambda: total(by_place()[1]["makers"]),
        "value_added_ai_firms": lambda: total(by_place()[1]["firms"]),
        "value_added_universities": lambda: total(by_place()[1]["universities"]),
        "local_value_added_gross": lambda: total(gross()),
        "social_account": lambda: (
            total(net()) + gained() - social_cost(quarter, cost(), cost() - taxes(), setting)
        ),
        "net_public_cost": lambda: cost() - taxes(),
        "public_cost": cost,
        "public_cost_national": nation,
        "public_cost_provincial": province,
        "public_cost_prefecture": prefecture,
        "state_equity": lambda: amount(select(accounts.flows, Purpose.EQUITY, payer="government")),
        "tax_receipts": taxes,
        "unspent": lambda: (
            (schedule.spending[t].sum() + schedule.envelope[t].sum()) / 4
            - total(accounts.settlement.paid)
        ),
        "local_tax_receipts": lambda: accounts.local_receipts,
        "value_added_by_tier": lambda: by_tier(net(), setting),
        "value_added_hub": lambda: total(net() * world.prefectures.hub),
        "gini_value_added": lambda: kernels.gini(np.maximum(gross(), 0), people)[:, None],
        "theil_between": lambda: theil()[0][:, None],
        "theil_within": lambda: theil()[1][:, None],
        "theil": lambda: kernels.theil(wealth(), people)[:, None],
        "gini": lambda: kernels.gini(wealth(), people)[:, None],
        "investment": lambda: amount(select(accounts.flows, Purpose.INVESTMENT)),
    }


def value_added_by_place(
    quarter: Quarter, setting: Setting
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Return local value added, gross and net of depreciation and subsidy, M¥.

    By prefecture for each sector of the compute chain, (runs, prefectures) each: centres, equipment
    makers, AI firms, universities. Net subtracts the wear of the local share of centres' real
    assets, whoever paid for them, and each subsidy that the sum counts as income, once: a voucher
    counts in what firms save, or else in what centres earn from other buyers. What is bought with a
    grant is added back, so that a grant, for research or for capital, neither raises nor lowers the
    sum by itself. Charges are added back too: they are paid out of value added, as taxes are.
    """
    p, world, accounts = setting.parameters, setting.world, quarter.accounts
    local: dict[str, Array | float] = {
        "centres": quarter.policy.local_settlement, "makers": 1.0, "firms": 1.0, "universities": 1.0
    }  # fmt: skip
    gross = {
        name: getattr(world, name).sum(
            accounts.value_added[name] + share * charges_due(name, quarter, setting), "prefecture"
        )
        for name, share in local.items()
    }
    received = accounts.settlement.received
    to_firms = accounts.vouchers["firms"]
    to_others = 1 - safe_ratio(total(to_firms), add_up(map(total, accounts.vouchers.values())))
    counted = received["output_subsidy"] + received["tariff_discount"]
    counted = counted + received["compute_voucher"] * to_others
    centre = quarter.policy.local_settlement * (accounts.assets.wear + counted)
    bought = p.research_purchase_share * quarter.innovation.grants
    contracts = split_evenly(
        total(p.research_contract_share * bought), world.universities.research_funds
    )
    granted = p.university_wage_share * (quarter.innovation.university_grants + contracts)
    taken_off = {"centres": centre, "firms": to_firms - bought, "universities": granted}
    net = gross | {
        name: gross[name] - getattr(world, name).sum(values, "prefecture")
        for name, values in taken_off.items()
    }
    return gross, net


def social_cost(quarter: Quarter, cost: Array, net_cost: Array, setting: Setting) -> Array:
    """Return what public money costs society, M¥ (runs, 1).

    What is paid for work and goods, research grants among it, is used up. A subsidy is not: who
    gets it has it, and value added is net of it. Raising each yuan of net cost takes a part of a
    yuan more.
    """
    passed_on = amount(select(quarter.accounts.flows, Purpose.SUBSIDY, payer="government"))
    return cost - passed_on + (setting.parameters.cost_of_public_funds - 1) * net_cost


def tax_receipts(quarter: Quarter, setting: Setting) -> Array:
    """Return taxes and charges, of parks only taxes on what their adoption adds, M¥ (runs, 1).

    Taxes on the rest of the parks' output do not depend on the chain and would hide it. What a
    charge on parks brings counts in full, and so does the tax that is lost to it. A user's own
    flows count as they are.
    """
    output = total(quarter.innovation.park_output)
    added = output - base_park_output(quarter, setting)
    whole, own = park_taxes(quarter, setting), {id(flow) for flow in quarter.accounts.added}
    return add_up(
        whole * added / output - (whole - total(flow.paid))
        if (flow.payer, flow.purpose) == ("parks", Purpose.TAX) and id(flow) not in own
        else total(flow.paid)
        for flow in receipts(quarter.accounts.flows)
    )


def park_taxes(quarter: Quarter, setting: Setting) -> Array:
    """Return what parks would pay in taxes without wear and without charges, M¥ (runs, 1)."""
    added = quarter.accounts.value_added["parks"] + charges_due("parks", quarter, setting)
    wages = quarter.accounts.wages["parks"]
    free, _ = close_statements("parks", added, wages, np.zeros_like(added), setting)
    return total(free.taxes)

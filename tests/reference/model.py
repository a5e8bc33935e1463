"""The whole reference: one quarter after another, every stage agent by agent."""

from __future__ import annotations

from typing import Any

from .agents import Agents
from .dispatch import reference_dispatch
from .drivers import reference_drivers
from .flows import reference_accounts
from .innovation import reference_innovation
from .investment import reference_investment
from .labour import reference_business, reference_labour
from .policy import reference_policy
from .supply_chain import reference_supply_chain
from .turnover import reference_next


def reference_quarter(agents: Agents) -> tuple[Agents, dict[str, dict[str, Any]]]:
    """Return the agents one quarter on and the record of every stage."""
    drivers = reference_drivers(agents)
    policy = reference_policy(agents, drivers)
    investment = reference_investment(agents, drivers, policy)
    supply = reference_supply_chain(agents, policy, investment)
    market = reference_dispatch(agents, drivers, policy, investment)
    innovation = reference_innovation(agents, drivers, policy, investment, market)
    labour = reference_labour(agents, drivers, policy, investment, supply, innovation)
    business = reference_business(agents, policy, innovation)
    quarter = {
        "drivers": drivers,
        "policy": policy,
        "investment": investment,
        "supply": supply,
        "market": market,
        "innovation": innovation,
        "labour": labour,
        "business": business,
    }
    quarter["accounts"] = reference_accounts(agents, **quarter)
    return reference_next(agents, quarter), quarter

"""One quarter of the model."""

from __future__ import annotations

from dataclasses import dataclass

from ecosystem.extend import hooked
from ecosystem.quarter.turnover import next_state
from ecosystem.stages.accounts import Accounts, account
from ecosystem.stages.dispatch import Market, sell
from ecosystem.stages.drivers import Drivers, drive
from ecosystem.stages.innovation import Innovation, innovate
from ecosystem.stages.investment import Investment, invest
from ecosystem.stages.labour import Business, Labour, employ, trade
from ecosystem.stages.policy import Policy, govern
from ecosystem.stages.supply_chain import Supply, supply_equipment
from ecosystem.state.setting import Setting
from ecosystem.state.state import State


@dataclass(frozen=True)
class Quarter:
    """What every stage made of one quarter."""

    state: State  # at the start of the quarter
    drivers: Drivers
    policy: Policy
    investment: Investment
    supply: Supply
    market: Market
    innovation: Innovation
    labour: Labour
    business: Business
    accounts: Accounts


def step(state: State, setting: Setting) -> tuple[State, Quarter]:
    """Return the state one quarter on, and the quarter's record.

    The order is that of the model's stages S0 to S7; every stage reads the state at the start
    of the quarter and what earlier stages returned, and changes nothing in place. A user's own
    functions come in right after a stage.
    """
    drivers = hooked(drive(state, setting), state, setting)
    policy = hooked(govern(state, drivers, setting), state, setting)
    investment = hooked(invest(state, drivers, policy, setting), state, setting)
    supply = hooked(supply_equipment(state, drivers, policy, investment, setting), state, setting)
    market = hooked(sell(state, drivers, policy, investment, setting), state, setting)
    innovation = hooked(
        innovate(state, drivers, policy, investment, market, setting), state, setting
    )
    labour = hooked(
        employ(state, drivers, policy, investment, supply, innovation, setting), state, setting
    )
    business = hooked(trade(state, drivers, policy, innovation, labour, setting), state, setting)
    accounts = account(
        state, drivers, policy, investment, supply, market, innovation, labour, business, setting
    )
    quarter = Quarter(
        state, drivers, policy, investment, supply, market, innovation, labour, business, accounts
    )
    return next_state(quarter, setting), quarter

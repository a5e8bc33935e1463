"""One quarter of the model."""

from __future__ import annotations

from ecosystem.extend import hooked
from ecosystem.quarter.turnover import next_state
from ecosystem.stages.accounts import account
from ecosystem.stages.dispatch import sell
from ecosystem.stages.drivers import drive
from ecosystem.stages.firms import trade
from ecosystem.stages.innovation import innovate
from ecosystem.stages.investment import invest
from ecosystem.stages.labour import employ
from ecosystem.stages.policy import govern
from ecosystem.stages.supply_chain import supply_equipment
from ecosystem.state.records import Quarter
from ecosystem.state.setting import Setting
from ecosystem.state.state import State


def step(state: State, setting: Setting) -> tuple[State, Quarter]:
    """Return the state one quarter on, and the quarter's record.

    The order is that of the model's stages S0 to S7; every stage reads the state at the start
    of the quarter and what earlier stages returned, and changes nothing in place. A user's own
    functions come in right after a stage.
    """
    quarter = Quarter(state)
    quarter.drivers = hooked(drive(quarter, setting), state, setting)
    quarter.policy = hooked(govern(quarter, setting), state, setting)
    quarter.investment = hooked(invest(quarter, setting), state, setting)
    quarter.supply = hooked(supply_equipment(quarter, setting), state, setting)
    quarter.market = hooked(sell(quarter, setting), state, setting)
    quarter.innovation = hooked(innovate(quarter, setting), state, setting)
    quarter.labour = hooked(employ(quarter, setting), state, setting)
    quarter.business = hooked(trade(quarter, setting), state, setting)
    quarter.accounts = account(quarter, setting)
    return next_state(quarter, setting), quarter

"""One table of the decision rules of all agents, and what each becomes as its mean.

A rule is a function ``f(quarter, setting, *columns)`` over whole columns that stands in its stage;
the agent table lists them by the same names. A scenario puts a function of the user in the place
of a rule, or its mean: what is decided by the differences between agents is then lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

import numpy as np

from ecosystem.extend import decide
from ecosystem.inputs.functions import MEAN, Hook
from ecosystem.maths.arrays import Array, safe_ratio, total
from ecosystem.maths.clearing import spread
from ecosystem.stages.demand import buy_compute
from ecosystem.stages.dispatch import mark_up, offer_capacity, offer_idle
from ecosystem.stages.exits import close_centre
from ecosystem.stages.firms import close_firm
from ecosystem.stages.innovation import spend_on_research
from ecosystem.stages.investment import order_servers
from ecosystem.stages.labour import want_staff
from ecosystem.stages.location import bid_for_halls
from ecosystem.stages.parks import adopt_ai, build_servers
from ecosystem.stages.partners import accept_offers, choose_partners, divide_effort
from ecosystem.stages.policy import (
    move_envelopes,
    push_readiness,
    refuse_halls,
)
from ecosystem.stages.programmes import pay_match, withhold_funding
from ecosystem.stages.routing import route_work
from ecosystem.stages.supply_chain import ask_price, expand_capacity
from ecosystem.state.records import Quarter
from ecosystem.state.setting import Rules, Setting

Rule = Callable[..., Array]


def rules_of(replacements: Iterable[Hook] = ()) -> Rules:
    """Return the rules of the agents, with functions of the user or means in the place of some."""
    own, mine = {}, []
    for hook in replacements:
        rule = RULES[hook.stage]
        mean = partial(MEANS[hook.stage], rule)
        own[hook.stage] = mean if hook.name == MEAN else partial(decide, rule, hook, Rules(RULES))
        mine += [hook] if hook.name != MEAN else []
    return Rules(RULES | own, mine)


def of_members(rule: Rule, quarter: Quarter, setting: Setting, *columns: Array) -> Array:
    """Return the mean of what the members decide, for all of them; members are the last axis."""
    answer = rule(quarter, setting, *columns)
    return np.broadcast_to(answer.mean(axis=-1, keepdims=True), answer.shape)


def of_firms(rule: Rule, quarter: Quarter, setting: Setting, *columns: Array) -> Array:
    """Return the mean of what AI firms decide, for each slot that is taken."""
    active = quarter.state.firms.active
    answer = rule(quarter, setting, *columns) * active
    return np.asarray(active * (total(answer) / np.maximum(total(active), 1)))


def all_ones(rule: Rule, quarter: Quarter, setting: Setting, *columns: Array) -> Array:
    """Return one for all: plans as they are, all that is idle, equal effort everywhere."""
    return np.ones_like(rule(quarter, setting, *columns))


def nobody(rule: Rule, quarter: Quarter, setting: Setting, *columns: Array) -> Array:
    """Return zero for all."""
    return np.zeros_like(rule(quarter, setting, *columns))


def mean_read(rule: Rule, quarter: Quarter, setting: Setting, seen: Array, *more: Array) -> Array:
    """Return what all decide who see the mean of the first column instead of their own."""
    mean = seen.mean(axis=-1, keepdims=True)
    return rule(quarter, setting, np.broadcast_to(mean, seen.shape), *more)


def bid_by_size(rule: Rule, quarter: Quarter, setting: Setting, index: Array) -> Array:
    """Return bids of centres whose units are all worth the same."""
    return rule(quarter, setting, np.ones_like(index))


def order_alike(rule: Rule, quarter: Quarter, setting: Setting, room: Array, *more: Array) -> Array:
    """Return orders for the same share of its room for every centre of a kind."""
    centres = setting.world.centres
    order = rule(quarter, setting, room, *more)
    filled = safe_ratio(centres.sum(order, "kind"), centres.sum(room, "kind"))
    return room * spread(filled, centres.kind)


def mark_alike(rule: Rule, quarter: Quarter, setting: Setting, use: Array) -> Array:
    """Return marks of centres that all see the mean use of their kind, of those that sell."""
    centres = setting.world.centres
    running = centres.sum((use > 0).astype(float), "kind")
    mean = safe_ratio(centres.sum(use, "kind"), running)
    return rule(quarter, setting, spread(mean, centres.kind))


def offer_in_proportion(
    rule: Rule, quarter: Quarter, setting: Setting, left: Array, share: Array
) -> Array:
    """Return capacity for a class of work in proportion to its demand."""
    return rule(quarter, setting, left, share) * spread(share, setting.world.centres.cell)


def expand_alike(rule: Rule, quarter: Quarter, setting: Setting, expected: Array) -> Array:
    """Return the same growth for every maker of a stage."""
    makers = setting.world.makers
    kept = quarter.state.makers.capacity * (1 - setting.parameters.maker_depreciation)
    added = rule(quarter, setting, expected)
    rate = makers.sum(added, "stage") / makers.sum(kept, "stage")
    return kept * spread(rate, makers.stage)


def ask_alike(rule: Rule, quarter: Quarter, setting: Setting) -> Array:
    """Return the mean price of a stage, weighted by capacity, for each of its makers."""
    makers, capacity = setting.world.makers, quarter.state.makers.capacity
    asked = makers.sum(rule(quarter, setting) * capacity, "stage")
    return spread(asked / makers.sum(capacity, "stage"), makers.stage)


def partner_alike(rule: Rule, quarter: Quarter, setting: Setting) -> Array:
    """Return the mean knowledge of all universities in each domain, wherever a firm is."""
    mean = quarter.state.universities.knowledge.mean(axis=2)
    return np.tile(mean, (1, setting.world.prefectures.count))


def route_alike(rule: Rule, quarter: Quarter, setting: Setting, *columns: Array) -> Array:
    """Return the mean shares of all regions but the home region, which routes as it does."""
    home = setting.world.regions.home
    share = rule(quarter, setting, *columns)
    mean = share[:, ~home].mean(axis=1, keepdims=True)
    return np.where(home[:, None, None], share, mean)


TABLE: tuple[tuple[Rule, Rule], ...] = (
    (withhold_funding, of_members),
    (move_envelopes, all_ones),
    (refuse_halls, mean_read),
    (pay_match, of_members),
    (push_readiness, of_members),
    (offer_capacity, offer_in_proportion),
    (bid_for_halls, bid_by_size),
    (order_servers, order_alike),
    (mark_up, mark_alike),
    (offer_idle, all_ones),
    (close_centre, nobody),
    (expand_capacity, expand_alike),
    (ask_price, ask_alike),
    (accept_offers, of_members),
    (divide_effort, all_ones),
    (spend_on_research, of_firms),
    (buy_compute, of_firms),
    (choose_partners, partner_alike),
    (want_staff, of_firms),
    (close_firm, of_firms),
    (adopt_ai, mean_read),
    (build_servers, of_members),
    (route_work, route_alike),
)
"""Every rule, and its mean."""
RULES: dict[str, Rule] = {rule.__name__: rule for rule, _ in TABLE}
MEANS: dict[str, Rule] = {rule.__name__: mean for rule, mean in TABLE}

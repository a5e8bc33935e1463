"""Outcomes of firms, knowledge, talent, deployment and parks."""

from __future__ import annotations

from functools import cache

import numpy as np

from ecosystem.maths import kernels
from ecosystem.maths.arrays import Array, safe_ratio, total
from ecosystem.maths.survival import five_year_survival
from ecosystem.outcomes.shared import Equations, base_park_output, by_tier
from ecosystem.stages.labour import usual_wage
from ecosystem.state.records import Quarter
from ecosystem.state.setting import Setting


def measure_innovation(quarter: Quarter, setting: Setting) -> Equations:
    """Return the equations of firms, knowledge, talent, deployment and parks."""
    world, f, made, parks = (
        setting.world,
        quarter.state.firms,
        quarter.innovation,
        quarter.state.parks,
    )
    labour, business, society = quarter.labour, quarter.business, quarter.state.society
    universities, people = quarter.state.universities, world.prefectures.population
    firms_place = cache(lambda: world.firms.sum(f.active, "prefecture"))
    staff = cache(lambda: total(labour.staff))
    diversity = cache(lambda: diversity_of_domains(labour.staff, setting))
    branch_jobs = cache(lambda: setting.parameters.branch_staff * total(society.branches))
    return {
        "jobs": lambda: (
            total(labour.centre_jobs) + total(labour.maker_jobs) + staff() + branch_jobs()
        ),
        "ai_firm_staff": staff,
        "patents": lambda: total(made.patents),
        "ai_firms": lambda: total(f.active),
        "ai_firms_by_tier": lambda: by_tier(firms_place(), setting),
        "gini_firms": lambda: kernels.gini(firms_place(), people)[:, None],
        "ai_firm_sales": lambda: world.firms.sum(business.sales, "domain"),
        "served_orders": lambda: safe_ratio(
            total(business.sales), total(business.orders), empty=1.0
        ),
        "outside_share": lambda: business.outside_share,
        "births": lambda: total(business.born),
        "exits": lambda: total(business.exits),
        "firm_survival": lambda: five_year_survival(f.active, f.age, business.exits),
        "births_without_slot": lambda: business.overflow,
        "quality": lambda: made.quality,
        "knowledge": lambda: total(f.knowledge) / np.maximum(total(f.active), 1),
        "university_knowledge": lambda: universities.knowledge.mean(axis=2).mean(
            axis=1, keepdims=True
        ),
        "deployment": lambda: made.deployment_next.mean(axis=1),
        "firm_compute": lambda: total(made.compute),
        "talent": lambda: total(society.talent),
        "talent_by_tier": lambda: by_tier(society.talent, setting),
        "retention": lambda: safe_ratio(total(labour.retained), total(labour.graduates)),
        "wage": lambda: total(society.wage * society.talent) / total(society.talent),
        "graduate_wages_outside": lambda: wages_outside(quarter, setting),
        "network_density": lambda: made.density,
        "absorptive_capacity": lambda: safe_ratio(
            total(made.absorptive * business.sales), total(business.sales)
        ),
        "branches": lambda: total(society.branches),
        "branch_jobs": branch_jobs,
        "domain_diversity": diversity,
        "effective_domains": lambda: np.exp(diversity()),
        "park_adoption": lambda: parks.adoption.mean(axis=1, keepdims=True),
        "park_productivity_gain": lambda: (
            total(made.park_output) - base_park_output(quarter, setting)
        ),
        "park_servers": lambda: total(parks.servers),
    }


def diversity_of_domains(staff: Array, setting: Setting) -> Array:
    """Return the diversity of domains over the staff of AI firms (Shannon), (runs, 1)."""
    by_domain = setting.world.firms.sum(staff, "domain")
    return kernels.shannon(safe_ratio(by_domain, total(by_domain)))[:, None]


def wages_outside(quarter: Quarter, setting: Setting) -> Array:
    """Return what talent that stays and works outside the compute chain earns, M¥ (runs, 1).

    Talent less the jobs that the chain fills with it, at the wage of the place without tightness,
    so that only who stays moves it and not the wage that the chain bids up.
    """
    world, labour, t = setting.world, quarter.labour, quarter.state.period
    jobs = world.centres.sum(labour.centre_jobs, "prefecture")
    jobs = jobs + world.firms.sum(labour.staff, "prefecture")
    skilled = setting.parameters.maker_talent_share * labour.maker_jobs
    jobs = jobs + world.makers.sum(skilled, "prefecture")
    outside = np.maximum(1000 * quarter.state.society.talent - jobs, 0)
    return total(outside * usual_wage(t, setting)) / 1000

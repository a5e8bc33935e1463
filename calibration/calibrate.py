"""From published figures to draws of the posterior, and what was learned on the way.

A table of runs of the prior says which directions of the parameters figures can tell
(`calibration.learned`); approximate Bayesian computation on it says what they tell
(`calibration.abc`); a sampler that starts from it gives pairs of parameters and luck whose pasts
look like the published one (`calibration.sampler`). Its draws are the posterior; where the two
disagree, that is part of the answer.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from calibration.abc import Adjusted, adjust, as_published, kept_share
from calibration.learned import Learned, learn, tension, trade_offs
from calibration.likelihood import log_likelihood, summaries, within_ceilings
from calibration.posterior import from_normal, to_normal, write_posterior
from calibration.records import INFORMATION_END
from calibration.sampler import BLOCKS, Likelihood, Lucks, Rows, Stage, tempered, worth
from calibration.simulated import observed
from calibration.table import prior_table
from calibration.targets import Target, load_targets
from ecosystem.inputs.calendar import period_label
from ecosystem.inputs.catalogue import parameters
from ecosystem.inputs.draws import LUCK, POSTERIOR_FILE, varied_parameters
from ecosystem.inputs.faults import Fault, InputError
from ecosystem.inputs.world.loader import load_world
from ecosystem.maths.arrays import Array
from ecosystem.runs.identity import digest, model_digests

PRIOR_ROWS, ROWS, DRAWS = 20_000, 8_000, 1_000
"""Runs of the prior, from which is learned; rows that go from there to the posterior; its draws."""
SMALL, PART = 50, 4
"""A world of fewer centres is there to be looked at: a quarter of the rows are run."""
ENOUGH = 100
"""Independent rows that a posterior must be worth: means are then known to a tenth of spread."""
APART = 4
"""Standard errors between the means of sampler and approximation that are a disagreement: of 400
parameters, one in fifty calibrations would name one by chance."""
FIRST_PART = 0.15
"""Share of the time that the runs of the prior take."""
FOUND = Path(__file__).with_name("found")
"""Record of the calibration whose posterior the full world has."""
BASES = 8
"""Rows in which is tried which parameters move nothing."""
EQUAL = 1e-9
"""Difference of a log-likelihood that is none."""
FIRST_LUCK = f"{LUCK}{period_label(0)}"
MOVES = "moves"
"""Folder below that of a calibration, for what an interrupted one has run already."""
NAMED = 5
"""Parameters, and figures, by which a direction is described."""
TABLES = ("figures", "parameters", "directions", "pairs", "stages")
BAND = {"low": 0.05, "median": 0.5, "high": 0.95}
BOUNDS = {"lower": 1, "upper": -1, "": 0}
Targets = Sequence[Target]
Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class Calibration:
    """Draws of the posterior, and what was learned.

    Parameters
    ----------
    draws : DataFrame
        Parameters in their units and luck, rows of equal weight.
    figures : ndarray, shape (rows, figures)
        Logs of the fitted figures at the draws.
    names : list of str
        Of the fitted figures.
    tables : dict of DataFrame
        ``figures``, ``parameters``, ``directions``, ``pairs``, ``stages``.
    about : dict
        What was done, in single numbers, and what made it.
    """

    draws: pd.DataFrame
    figures: Array
    names: list[str]
    tables: dict[str, pd.DataFrame]
    about: dict[str, Any]

    @property
    def learned(self) -> bool:
        """Return whether figures tell anything of the parameters."""
        return len(self.tables["directions"]) > 0

    @property
    def converged(self) -> bool:
        """Return whether the posterior is worth enough independent rows."""
        return bool(self.about["worth"] >= ENOUGH)

    def save(self, folder: Path) -> None:
        """Write the draws and the tables into a folder that exists."""
        for name, table in self.tables.items():
            table.to_csv(
                folder / f"{name}.csv", index=False, float_format="%.6g", lineterminator="\n"
            )
        words = json.dumps(self.about, indent=1, ensure_ascii=False)
        (folder / "about.json").write_text(words + "\n", encoding="utf-8")
        path = folder / POSTERIOR_FILE
        write_posterior(path, self.draws, self.figures, self.names, self.about)


def calibrate(
    data: Targets | None = None,
    world: str = "full",
    *,
    out: Path | None = None,
    prior_rows: int | None = None,
    rows: int | None = None,
    seed: int = 1,
    jobs: int | None = None,
    command: str = "",
    progress: Progress = lambda words, done: None,
) -> Calibration:
    """Fit the model to published figures.

    Parameters
    ----------
    data
        Targets; those of ``targets.csv`` by default. Those whose use is ``fit`` are fitted.
    world
        Name or folder of the world.
    out
        Folder in which runs are kept, so that a second start goes on from there.
    prior_rows, rows
        Runs of the prior, and rows that go to the posterior; see `PRIOR_ROWS` and `SMALL`.
    seed
        Of all chance.
    jobs
        Workers; one a core by default.
    command
        What made the draws, to be noted in them.
    progress
        Called with what is done and the share of it that is done.

    Raises
    ------
    InputError
        With everything that is wrong with the figures or the world.
    FloatingPointError
        Hardly a row of the prior is within the ceilings.
    """
    started, every = time.monotonic(), tuple(data or load_targets())
    fit = [target for target in every if target.use == "fit"]
    known = load_world(world)
    part = PART if known.centres.count < SMALL else 1
    prior_rows, rows = prior_rows or PRIOR_ROWS // part, rows or ROWS // part
    if not fit:
        raise InputError([Fault("data", "no figure", "at least one figure whose use is fit")])

    def making(done: int, every: int) -> None:
        progress("prior", FIRST_PART * done / every)

    def tempering(power: float) -> None:
        progress("posterior", FIRST_PART + (1 - FIRST_PART) * power)

    table, seen = prior_table(world, prior_rows, out=out, jobs=jobs, seed=seed, progress=making)
    normal, inside = to_normal(table), within_ceilings(seen)
    said, published = evidence(fit, summaries(fit, seen), seed)
    learned = learn(normal[inside], said[inside], seed)
    near = approximate(normal[inside], said[inside], published, learned)

    dates = sorted({target.period for target in fit})
    starts = [0, *(date + 1 for date in dates[:-1])]

    def run(frame: pd.DataFrame) -> Any:
        return observed(frame, world=world, jobs=jobs, seed=seed)

    def likelihood(normal: Array, luck: Lucks) -> Array:
        return judged(fit, run(from_normal(normal, luck, starts)))

    runs = likelihood if out is None else stored(likelihood, out / MOVES)
    first = np.tile(table[[FIRST_LUCK]].to_numpy(), len(starts))  # the same luck all along
    last, stages = tempered(
        Rows(normal, first, judged(fit, seen)), runs, learned.basis, rows, seed, tempering
    )
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(last.luck))[:DRAWS]
    chosen, luck = last.normal[order], last.luck[order]
    still = idle(
        chosen[:BASES],
        lambda rows: run(from_normal(rows, luck[:1].repeat(len(rows), axis=0), starts)),
        rng,
    )
    drawn = np.where(still, rng.standard_normal(chosen.shape), chosen)
    again = run(from_normal(drawn, luck, starts))
    off = np.abs(judged(fit, again) - last.log_likelihood[order])
    same = np.asarray((off < EQUAL).all(axis=1))
    if not same.all():  # what moved a figure after all stays as it was
        drawn = np.where(same[:, None], drawn, chosen)
        again = run(from_normal(drawn, luck, starts))
    posterior = from_normal(drawn, luck, starts)
    effective = worth(last.normal[:, learned.reached])
    about = {
        "prior_rows": prior_rows,
        "within_ceilings": int(inside.sum()),
        "floor": learned.floor,
        "parameter_floor": learned.parameter_floor,
        "kept_share": near.share,
        "kept_worth": near.effective,
        "rows": rows,
        "worth": effective,
        "idle": int(still.sum()),
        "drawn_anew": float(same.mean()),
        "minutes": (time.monotonic() - started) / 60,
        "model": digest(model_digests()),
        "world": known.digest,
        "command": command,
        "seed": seed,
        "information_end": INFORMATION_END,
    }
    tables = {
        "figures": figures_table(every, fit, seen, inside, again, tension(said[inside], published)),
        "parameters": parameters_table(learned, near, drawn, effective),
        "directions": directions_table(fit, learned, said[inside]),
        "pairs": pairs_table(trade_offs(near.normal, near.weights, learned.reached)),
        "stages": stages_table(stages),
    }
    names = [target.name for target in fit]
    return Calibration(posterior, summaries(fit, again), names, tables, about)


def idle(
    bases: Array, run: Callable[[Array], dict[str, Array]], rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Return which parameters move nothing that is observed, (parameters,).

    Each is drawn anew alone, in a few rows. Such are above all those of policies that no quarter
    on record had: they may be drawn from the prior again without a change of any figure.

    Parameters
    ----------
    bases : ndarray, shape (rows, parameters)
        Rows in which they are tried.
    run : callable
        From parameters to observables by name, (rows, quarters) each.
    rng : Generator
        Gives the other values.
    """
    still = np.ones(bases.shape[1], dtype=bool)
    for base in bases:
        rows = np.tile(base, (len(base) + 1, 1))
        np.fill_diagonal(rows, rng.standard_normal(len(base)))
        for values in run(rows).values():
            still &= (np.nan_to_num(values[:-1]) == np.nan_to_num(values[-1])).all(axis=1)
    return still


def evidence(fit: Targets, figures: Array, seed: int) -> tuple[Array, Array]:
    """Return figures as they would have been published, and those that were, in logs."""
    published = np.log([target.value for target in fit])
    error = np.array([target.log_sd / np.sqrt(target.weight) for target in fit])
    bound = np.array([BOUNDS[target.bound] for target in fit])
    return as_published(figures, published, error, bound, seed), published


def approximate(normal: Array, said: Array, published: Array, learned: Learned) -> Adjusted:
    """Return the posterior by approximate Bayesian computation on the rows of the prior."""
    if not len(learned.shares):
        return Adjusted(normal, np.full(len(normal), 1 / len(normal)), 1.0)
    directions = (said - said.mean(axis=0)) @ learned.figures
    wanted = (published - said.mean(axis=0)) @ learned.figures
    aim = learned.parameters / np.maximum(np.linalg.norm(learned.parameters, axis=0), 1e-300)
    share = kept_share(normal, directions, wanted, aim)
    return adjust(normal, directions, wanted, share)


def judged(fit: Targets, seen: dict[str, Array]) -> Array:
    """Return the log-likelihood of each figure, (rows, figures); minus infinity beyond ceilings."""
    found = log_likelihood(fit, seen)
    return np.where(within_ceilings(seen)[:, None] & ~np.isnan(found), found, -np.inf)


def stored(likelihood: Likelihood, folder: Path) -> Likelihood:
    """Return the same, but what was run before is read from a folder.

    All chance is keyed, so that a fit that was interrupted asks for the same runs again.
    """
    folder.mkdir(parents=True, exist_ok=True)
    version = digest(model_digests()).encode()

    def found(normal: Array, luck: Lucks) -> Array:
        key = hashlib.sha256(version + normal.tobytes() + luck.tobytes()).hexdigest()
        path = folder / f"{key[:24]}.npy"
        if not path.exists():
            partial = path.with_suffix(".partial.npy")
            np.save(partial, likelihood(normal, luck))
            partial.replace(path)
        return np.asarray(np.load(path))

    return found


def band(values: Array, words: str) -> dict[str, float]:
    """Return quantiles by name, of logs, as levels."""
    finite = values[np.isfinite(values)]
    return {
        f"{words}_{name}": float(np.exp(np.quantile(finite, level))) if len(finite) else np.nan
        for name, level in BAND.items()
    }


def figures_table(
    every: Targets,
    fit: Targets,
    prior: dict[str, Array],
    inside: NDArray[np.bool_],
    posterior: dict[str, Array],
    tensions: Array,
) -> pd.DataFrame:
    """Return every figure: published, and of the model before and after the fit."""
    known = [target for target in every if target.observable in posterior]
    before, after = summaries(known, prior), summaries(known, posterior)
    pull = {target.name: tension for target, tension in zip(fit, tensions, strict=True)}
    rows = []
    for place, target in enumerate(known):
        rows.append(
            {
                "name": target.name,
                "date": target.date,
                "fitted": int(target.name in pull),
                "published": target.value,
                "bound": target.bound,
                "unit": target.unit,
                "log_sd": target.log_sd,
                **band(before[:, place], "prior"),
                **band(before[inside, place], "ceilings"),
                **band(after[:, place], "posterior"),
                "tension": pull.get(target.name, np.nan),
            }
        )
    return pd.DataFrame(rows)


def parameters_table(
    learned: Learned, near: Adjusted, normal: Array, effective: float
) -> pd.DataFrame:
    """Return every uncertain parameter: what is learned of it, its prior and its posterior.

    Means are in standard deviations of the prior; ``apart`` is the distance of the two means in
    standard errors.
    """
    names, rows = varied_parameters(False, {}), parameters()
    spread = normal.var(axis=0)
    error = np.sqrt(near.variance / near.effective + spread / max(effective, 1.0))
    apart = (normal.mean(axis=0) - near.mean) / error
    natural = from_normal(normal, np.zeros((len(normal), 0), int), [])
    return pd.DataFrame(
        {
            "name": names,
            "share": learned.parameter_shares,
            "reached": learned.reached.astype(int),
            "prior_low": [rows[name].low for name in names],
            "prior_high": [rows[name].high for name in names],
            **{
                word: natural[list(names)].quantile(level).to_numpy()
                for word, level in BAND.items()
            },
            "narrowed": 1 - spread,
            "mean": normal.mean(axis=0),
            "mean_abc": near.mean,
            "narrowed_abc": 1 - near.variance,
            "apart": apart,
            "disagree": (np.abs(apart) > APART).astype(int),
        }
    ).sort_values("share", ascending=False)


def directions_table(fit: Targets, learned: Learned, said: Array) -> pd.DataFrame:
    """Return the learned directions: how far each is learned, of what it is made, and by what."""
    names, figures = varied_parameters(False, {}), [target.name for target in fit]
    centred = (said - said.mean(axis=0)) / np.maximum(said.std(axis=0), 1e-300)
    told = centred.T @ ((said - said.mean(axis=0)) @ learned.figures) / len(said)
    return pd.DataFrame(
        {
            "share": learned.shares,
            "floor": learned.floor,
            "parameters": [strongest(names, column) for column in learned.parameters.T],
            "figures": [strongest(figures, column) for column in told.T],
        }
    )


def strongest(names: Sequence[str], values: Array) -> str:
    """Return the names with the largest values, as text."""
    places = np.argsort(-np.abs(values))[:NAMED]
    return "; ".join(f"{names[place]} {values[place]:+.2f}" for place in places)


def pairs_table(pairs: list[tuple[int, int, float]]) -> pd.DataFrame:
    """Return the pairs of parameters that trade off."""
    names = varied_parameters(False, {})
    rows = [(names[first], names[second], correlation) for first, second, correlation in pairs]
    return pd.DataFrame(rows, columns=["first", "second", "correlation"])


def stages_table(stages: Sequence[Stage]) -> pd.DataFrame:
    """Return what happened at each power of the likelihood."""
    names = [name.replace(" ", "_") for name in BLOCKS]
    return pd.DataFrame(
        {"power": stage.power, "effective": stage.effective}
        | {f"accepted_{name}": share for name, share in zip(names, stage.accepted, strict=True)}
        | {f"step_{name}": step for name, step in zip(names, stage.steps, strict=False)}
        for stage in stages
    )

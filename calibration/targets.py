"""The table of targets: which published figures the model is held against, and how.

A row names a figure of ``statistics.csv`` by series, region and date, so that its value stands
in one place only, and says what of the model it measures, with what error, and for what use.
"""

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Literal

from pydantic import Field

from calibration.observe import COMPUTE, log_error_sd, observation_model
from calibration.records import Statistic, quarter_of, sources, statistics
from ecosystem.inputs.catalogue import Row, read_rows
from ecosystem.inputs.faults import FaultList, nearest

Use = Literal["fit", "input", "comparison"]
CLASSES: dict[Use, str] = {
    "fit": "fitted",
    "input": "input",
    "comparison": "comparison",
}
"""What a level tells: only a comparison was neither given nor fitted."""


class Observable(Row):
    """Something of the model that a published figure measures."""

    unit: str
    meaning: str
    not_measured: str = ""


class TargetRow(Row):
    """A row of ``targets.csv``."""

    series: str
    region: str
    date: str
    base_date: str = ""
    observable: str
    log_sd: float | None = Field(default=None, gt=0)
    part: float = Field(default=1, gt=0, le=1)
    share: float = Field(gt=0, le=1)
    use: Use
    note: str = ""


@dataclass(frozen=True)
class Target:
    """A published figure with all that is needed to hold the model against it.

    Parameters
    ----------
    name : str
        Name in ``targets.csv``.
    series, region, date : str
        The published figure.
    base_date : str
        Date of the figure from which growth is counted, or empty.
    observable : str
        Row of ``observables.csv``.
    period : int
        Quarter of the figure.
    base_period : int or None
        Where only growth is compared, the quarter it is counted from.
    value : float
        In ``unit``, of the part of the figure that the model holds; the ratio to the figure of
        ``base_period`` where there is one.
    unit : str
        Unit of ``value``; ``ratio`` for growth.
    bound : str
        ``lower`` or ``upper`` where the figure is only that, else empty.
    log_sd : float
        Standard deviation of the log of the figure.
    weight : float
        By grade, times the share of the row.
    grade : str
        Of the figure: A, B or C.
    use : {"fit", "input", "comparison"}
        Fitted; source of a parameter; or set beside the model and neither.
    published : str
        Year, month or day on which it came out; empty where the source has no date.
    note : str
        Why it is used so, and what to beware of.
    """

    name: str
    series: str
    region: str
    date: str
    base_date: str
    observable: str
    period: int
    base_period: int | None
    value: float
    unit: str
    bound: str
    log_sd: float
    weight: float
    grade: str
    use: Use
    published: str
    note: str


def observables() -> dict[str, Observable]:
    """Return what of the model can be held against figures, by name."""
    text = (files("calibration") / "observables.csv").read_text(encoding="utf-8-sig")
    return read_rows(text, Observable, "observables.csv")


def load_targets(path: Path | None = None) -> tuple[Target, ...]:
    """Read and check a table of targets.

    Parameters
    ----------
    path : Path, optional
        A CSV file with the columns of ``targets.csv``; by default that table.

    Returns
    -------
    tuple of Target
        In the order of the table.

    Raises
    ------
    InputError
        With every fault: bad cells, or figures that are not among the statistics, an unknown
        observable or one in another unit, no error where none follows from the observation
        model, quarters before the start of the model.
    """
    table = path or files("calibration") / "targets.csv"
    rows = read_rows(table.read_text(encoding="utf-8-sig"), TargetRow, table.name)
    faults = FaultList()
    found = [_resolve(row, f"{table.name}: {row.name}", faults) for row in rows.values()]
    faults.raise_if_any()
    return tuple(target for target in found if target is not None)


def _resolve(row: TargetRow, place: str, faults: FaultList) -> Target | None:
    """Join a row with its figures, or note what is wrong with it."""
    known = len(faults.faults)
    figure = _find(row, row.date, f"{place}.date", faults)
    base = _find(row, row.base_date, f"{place}.base_date", faults) if row.base_date else None
    name = faults.name(f"{place}.observable", row.observable, observables())
    if figure and name and not base and figure.unit != observables()[name].unit:
        faults.add(f"{place}.observable", name, f"an observable in {figure.unit}")
    if row.log_sd is None and row.observable not in COMPUTE:
        allowed = f"a number above 0 (blank for {' and '.join(COMPUTE)} only)"
        faults.add(f"{place}.log_sd", "", allowed)
    if figure is None or len(faults.faults) > known:
        return None
    model, period = observation_model(), quarter_of(figure.date)
    return Target(
        name=row.name,
        series=row.series,
        region=row.region,
        date=row.date,
        base_date=row.base_date,
        observable=row.observable,
        period=period,
        base_period=quarter_of(base.date) if base else None,
        value=row.part * figure.value / (base.value if base else 1),
        unit="ratio" if base else figure.unit,
        bound=figure.bound,
        log_sd=row.log_sd or float(log_error_sd(period, model)),
        weight=model.weight(figure.grade) * row.share,
        grade=figure.grade,
        use=row.use,
        published=sources()[figure.source].published,
        note=row.note,
    )


def _find(row: TargetRow, date: str, place: str, faults: FaultList) -> Statistic | None:
    """Return the one observation of a series, region and date, or note why there is none."""
    observed = [item for item in statistics() if item.kind == "observation"]
    series = [item for item in observed if item.series == row.series]
    dates = {item.date: item for item in series if item.region == row.region}
    if not series:
        names = sorted({item.series for item in observed})
        allowed = "a series of statistics.csv with observations"
        faults.add(f"{place} ({row.series})", row.series, allowed, nearest(row.series, names))
    elif not dates:
        regions = sorted({item.region for item in series})
        faults.name(f"{place} ({row.region})", row.region, regions)
    elif date not in dates:
        faults.name(place, date, sorted(dates))
    elif quarter_of(date) < 0:
        faults.add(place, date, "a date from the first quarter of the model on")
    else:
        return dates[date]
    return None

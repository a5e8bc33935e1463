"""`ecosystem validate`: forecasts from rolling origins against rulers, and the forecast itself."""

from __future__ import annotations

from json import dumps as to_json
from pathlib import Path
from typing import Any

import pandas as pd

from calibration.forecast import LAST
from calibration.history import judged
from calibration.judging import ROWS, Judged, forecast_into, judge
from calibration.records import INFORMATION_END
from calibration.validate import LEAST, MODEL, PRIOR, summary, verdicts
from ecosystem.inputs.calendar import period_label
from ecosystem.inputs.world.loader import load_world
from experiments.command import run_directory as files
from experiments.command.commands import progress_bar, records, say
from experiments.command.request import Request, RunOptions
from experiments.report.messages import number, text, title
from experiments.report.tables import Page, Table, screen, terminal


def validate(
    asked: RunOptions, forecast: bool, lang: str, *, quiet: bool, json: bool, rows: int = ROWS
) -> int:
    """Judge the model, write record and forecast into a folder of their own, and show the table.

    Parameters
    ----------
    asked
        World, draws of the forecast, jobs, folder.
    forecast
        Whether to forecast, too.
    lang, quiet, json
        What is shown, and how.
    rows
        Runs of the prior.

    Raises
    ------
    OSError
        The folder cannot be written.
    """
    table, world = asked.drawn_from, str(asked.world)
    identity = {"command": "validate", "rows": rows, "draws": table and table.about}
    known = identity | {"data": {"world": load_world(world).digest, **files.data_digests()}}
    folder = (asked.out or Path("runs")) / files.short_digest(known)
    folder.mkdir(parents=True, exist_ok=True)
    with progress_bar(lang, quiet) as show:
        found = judge(world, rows=rows, out=folder / "prior", jobs=asked.jobs, progress=show)
    scores = summary(found.record)
    files.write_csv(folder / "origins.csv", found.record)
    files.write_csv(folder / "summary.csv", scores)
    page = page_of(found, scores, world, lang)
    if forecast:
        with progress_bar(lang, quiet) as show:
            about = forecast_into(
                folder, found, world, table, command=Request.command_line(),
                out=folder / "forecast", jobs=asked.jobs, progress=show,
            )  # fmt: skip
        page += forecast_words(about, world, folder, lang)
    say(terminal(page, screen()), quiet)
    answer = {"directory": str(folder), "table": records(scores), "verdicts": verdicts(scores)}
    print(to_json(answer, ensure_ascii=False) if json else folder)
    return 0


def forecast_words(about: dict[str, Any], world: str, folder: Path, lang: str) -> Page:
    """Return what is to be said of the draws of the forecast, and where it lies."""
    place = {"file": folder / "forecast.csv", "note": folder / "forecast.json"}
    written = text("forecast_written", lang, year=period_label(LAST)[:4], **place)
    if "effective" not in about:
        return [written]
    return [text("forecast_prior", lang, world=world, effective=about["effective"]), written]


def page_of(found: Judged, table: pd.DataFrame, world: str, lang: str) -> Page:
    """Return the table of all series, and in words where the model is worse than what."""
    record = found.record
    names = {name: title(series, lang) for name, series in judged().items()}
    forecast = record[["name", "date"]].drop_duplicates()
    origins = sorted(record["origin"].unique())
    head = text(
        "judged_head",
        lang,
        origins=f"{origins[0]}–{origins[-1]}",
        count=len(forecast),
        end=INFORMATION_END,
    )
    columns = ("series", "figures", "origins", "crps", "best", "error", "inside")
    rows = [
        row_of(names[name], table[table["name"] == name], lang)
        for name in names
        if (table["name"] == name).any()
    ]
    page: Page = [head, Table([text(f"judged_{one}", lang) for one in columns], rows)]
    page += sentences(verdicts(table), names, lang)
    exponent = number(float(record["exponent"].min()))
    page.append(
        text("judged_tempered", lang, rows=found.rows, least=f"{LEAST:g}", exponent=exponent)
    )
    if world != "full":
        page.append(text("judged_other_world", lang, world=world))
    return page


def row_of(shown: str, rows: pd.DataFrame, lang: str) -> list[str]:
    """Return the cells of a series: the model, and the best of all others on its figures."""
    model = rows[rows["by"] == MODEL]
    others = rows[~rows["by"].isin([MODEL, PRIOR])]
    others = others[others["figures"] == rows["figures"].max()].sort_values("crps")
    best = "–"
    if len(others):
        best = f"{text('by_' + others['by'].iloc[0], lang)} ({others['crps'].iloc[0]:.3f})"
    counts = [str(rows["figures"].max()), str(rows["origins"].max())]
    if model.empty:
        return [shown, *counts, "–", best, "–", "–"]
    one = model.iloc[0]
    inside = f"{100 * one['inside_50']:.0f}/{100 * one['inside_90']:.0f}"
    return [shown, *counts, f"{one['crps']:.3f}", best, f"{one['error']:.3f}", inside]


def sentences(said: list[dict[str, Any]], names: dict[str, str], lang: str) -> Page:
    """Return in words what the model is worse than, by series, and what cannot be said."""
    apart, between = ("；", "、") if lang == "zh" else ("; ", ", ")
    page: Page = [
        text(
            "judged_worse",
            lang,
            series=names[one["name"]],
            names=between.join(text(f"by_{name}", lang) for name in one["worse"]),
        )
        for one in said
        if one["worse"]
    ]
    found = {one["name"]: one for one in said if one["judged"]}
    good = [names[name] for name, one in found.items() if not one["worse"]]
    unknown = [shown for name, shown in names.items() if name not in found]
    if good:
        page.append(text("judged_good", lang, series=apart.join(good)))
    if unknown:
        page.append(text("judged_unknown", lang, series=apart.join(unknown)))
    most = max(one["origins"] for one in said)
    return [*page, text("judged_small", lang, origins=most)]

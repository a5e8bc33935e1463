"""Pay-back and leverage: made flows whose answers are known by hand."""

from dataclasses import replace

import numpy as np
import pytest
from test_compare import LANGUAGES, comparison, repeated

from ecosystem.inputs.calendar import POLICY_START
from ecosystem.runs.result import Result
from experiments.comparison.intervals import ENOUGH
from experiments.comparison.payback import NEEDED, payback_facts
from experiments.faces import Comparison
from experiments.report.messages import text

__all__ = ["comparison"]


def made(result: Result, cost: float, income: float, capital: float) -> Result:
    """Return a result with constant extra flows of `demand_first`, and none of its twin."""
    own, base = (result.scenarios.index(name) for name in ("demand_first", "history"))
    series = {name: result.series[name].copy() for name in NEEDED}
    summaries = {name: result.summaries[name].copy() for name in NEEDED}
    growing = np.arange(1.0, result.replicates + 1)[:, None]
    for name, extra in zip(NEEDED, (capital, cost, income), strict=True):
        series[name][own] = series[name][base]
        series[name][own, :, POLICY_START:] += extra
        summaries[name][own] = summaries[name][base] + extra * growing
    return replace(
        result,
        series={**result.series, **series},
        summaries={**result.summaries, **summaries},
    )


@pytest.mark.parametrize(
    ("flows", "quarter", "never", "leverage"),
    [
        ((2, 3, 8), "2025Q3", 0, 4),
        ((2, 1, 0), "not by 2026Q2", 1, 0),
        ((-2, 1, 5), "", np.nan, np.nan),  # money saved moves nothing
    ],
)
def test_facts_say_when_and_how_much(
    comparison: Comparison, flows: tuple[float, ...], quarter: str, never: float, leverage: float
) -> None:
    facts = payback_facts(made(comparison.result, *flows), "history").set_index("package")
    row = facts.loc["demand_first"]
    assert row["payback"] == quarter
    assert row["payback_never"] == pytest.approx(never, nan_ok=True)
    found = [row[f"leverage{end}"] for end in ("", "_low", "_high")]
    assert found == pytest.approx([leverage] * 3, nan_ok=True)
    same = facts.loc["twin"]
    assert same["payback"] == "" and same["payback_pairs"] == 0 and np.isnan(same["leverage"])
    bare = replace(comparison.result, series={})
    assert payback_facts(bare, "history").empty


def test_equity_of_the_state_counts_in_leverage_where_it_was_asked_for(
    comparison: Comparison,
) -> None:
    """Capital of 8 for payments of 3 and equity of 1, each growing over the pairs alike."""
    result = made(comparison.result, 3, 1, 8)
    assert "leverage_with_equity" not in payback_facts(result, "history")
    paid = result.summaries["public_cost"]
    base = result.scenarios.index("history")
    equity = (paid - paid[base]) / 3
    asked = replace(result, summaries={**result.summaries, "state_equity": equity})
    facts = payback_facts(asked, "history").set_index("package").loc["demand_first"]
    assert facts["leverage"] == pytest.approx(8 / 3)
    found = [facts[f"leverage_with_equity{end}"] for end in ("", "_low", "_high")]
    assert found == pytest.approx([2.0] * 3)


@LANGUAGES
@pytest.mark.parametrize(("runs", "cost"), [(3, 2), (ENOUGH - 1, 2), (ENOUGH, 2), (3, 0)])
def test_few_pairs_put_leverage_in_doubt(
    comparison: Comparison, lang: str, runs: int, cost: float
) -> None:
    """Where no leverage is shown there is none to doubt."""
    flows = made(repeated(comparison.result, runs), cost=cost, income=1, capital=8)
    words = Comparison.of(flows, "history", []).text(lang, 1000)
    assert (text("payback_few", lang, enough=ENOUGH) in words) == (runs < ENOUGH and cost > 0)
    assert (text("payback_not_by", lang, until="2026Q2") in words) == (cost > 0)

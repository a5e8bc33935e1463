"""The model in the headings of the ODD protocol (Grimm et al. 2020), with its decisions."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from ecosystem.inputs import catalogue

MODEL = Path(__file__).resolve().parents[1] / "model.md"
Table = Callable[[list[str], list[list[object]]], str]
Code = Callable[..., str]

PURPOSE = """## 1. Purpose and patterns

The model compares packages of policy for compute and the digital economy of one province: with the
same luck and the same parameters, what does a package change, for whom, and at what public cost? It
is for comparing, not for forecasting ([limits.md](limits.md)).

Patterns by which the model is judged:

1. *Build-out outruns use.* Halls run ahead of servers, servers ahead of work. Fitted at the hub, a
   rule elsewhere.
2. *Concentrated take-off.* The hub's part of intelligent compute rises steeply after its
   designation, general compute stays in the capital and the second ring. Fitted through the hub's
   bonus.
3. *Enclave.* Nearly all compute is sold outside; centres employ few. Emerges.
4. *Uneven use.* A few centres are full, many are half empty. The spread of quality and of tenants'
   luck is put in, the rest emerges.
5. *Skew of innovation.* Firm sizes have a long tail, most births do not last five years, patents
   stay in the capital. Luck and talent are put in, the tail emerges."""

SCHEDULING = """## 3. Process overview and scheduling

Time runs in quarters from 2020Q1 to 2035Q4. Packages differ from 2025Q3 on. The stages of a quarter
follow each other in a fixed order (`ecosystem/quarter/step.py`): drivers, policy, investment,
equipment chain, market for compute, innovation, labour and firms, accounts. A stage reads the state
at the start of the quarter and what earlier stages returned. All agents of a kind act at once, on
what they knew last quarter; nothing is solved for an equilibrium, so the order of agents does not
matter. What the stages decided becomes the next state in one place
(`ecosystem/quarter/turnover.py`)."""

CONCEPTS = """## 4. Design concepts

- **Basic principles.** Discrete choice of places and suppliers (McFadden 1974), increasing returns
  and lock-in (Arthur 1989), soft budgets (Kornai), search and matching (den Haan, Ramey and Watson
  2000), learning by doing (Wright 1936), absorptive capacity and cognitive distance (Cohen and
  Levinthal 1990; Nooteboom et al. 2007), diffusion (Bass 1969), selection among firms (Dosi et
  al.), and books in which every payment has two sides.
- **Emergence.** Where halls end up, use and fill, the number and size of firms, wages, receipts.
  Imposed: national capacity before 2025Q3, reference prices, the part of the national build that
  suits the west.
- **Adaptation and objectives.** Rules, not optimisation: the decisions stand in section 2. Each has
  a neutral form, and a test that replacing it changes a named outcome.
- **Learning.** Buyers gain experience with the province; makers learn with output; firms and
  universities gain knowledge.
- **Prediction.** Investors mix the use they see with one extrapolation of national growth and
  foresee a part of the price fall.
- **Sensing.** Agents see their own books, last quarter's prices, use and fill of their place, and
  what the province paid of what it promised.
- **Interaction.** Through the market for compute, one pool of talent, partners in research, public
  money and places that compete. Loops and couplings with their strength: [loops.md](loops.md).
- **Stochasticity.** Project sizes, demand noise, tenants' luck, patents, births, exits, sales. Each
  process has a random stream of its own, keyed by seed, replicate, process and quarter, so that all
  packages share luck. Uncertain parameters are drawn once for each replicate.
- **Collectives.** Prefectures and their tiers; consortia of universities and firms as intensities.
- **Observation.** [outcomes.md](outcomes.md). What a published figure measures is modelled apart
  from the state (`calibration/observe.py`)."""

START = """## 5. Initialization

The state of 2020Q1 is made from the tables of a world (`ecosystem/world/full/`; a small world for
teaching beside it) and a few parameters (`ecosystem/quarter/start.py`). Capacities, firms, talent
and budgets by prefecture stand in the tables with a source and a grade for every number
(`ecosystem/world/full/provenance.csv`); many starts are assumed. All packages share the start and
the history to 2025Q2.

## 6. Input data

Published year ends of national capacity (`ecosystem/world/full/national_path.csv`), continued by a
law of growth with uncertain strength; the observed policies (`ecosystem/packages/history.toml`).
Nothing dated after 2025-06-30 enters."""


def agents_section(table: Table, code: Code) -> str:
    """Return section 2: entities, their state and the scales."""
    kinds: dict[str, list[object]] = {}
    for row in catalogue.agents().values():
        kinds.setdefault(row.kind, [row.class_name, row.count_full, row.count_teaching])
    entities: list[list[object]] = [[kind, *cells] for kind, cells in kinds.items()]
    decisions: list[list[object]] = [
        [f"`{row.name}`", row.decision, row.reads, row.neutral, f"`{row.stage_file}`"]
        for row in catalogue.agents().values()
    ]
    columns: list[list[object]] = [
        [
            row.owner,
            f"`{row.name}`",
            row.unit or "–",
            "" if row.low is None else f"{row.low:g}",
            "" if row.high is None else f"{row.high:g}",
            row.meaning,
        ]
        for row in catalogue.state_columns().values()
    ]
    return "\n\n".join(
        [
            "## 2. Entities, state variables, and scales",
            "One step is a quarter, 64 in all. Space is fourteen prefectures in four tiers with "
            "distances and latencies, demand regions and rival hubs. Households, the bank, the "
            "grid and the world outside only pay and receive.",
            table(["Agent", "Class", "Full world", "Teaching world"], entities),
            "Decisions, what they read, and the mean that can take their place (`rules`):",
            table(["Decision", "In words", "Reads", "Mean", "Stage"], decisions),
            "State at the start of a quarter:",
            table(["Owner", "Column", "Unit", "Low", "High", "Meaning"], columns),
        ]
    )


def submodels_section(table: Table) -> str:
    """Return section 7: the stages with the parameters that the model page names for them."""
    words = MODEL.read_text(encoding="utf-8")
    parameters = catalogue.parameters()
    rows: list[list[object]] = []
    for title, body in re.findall(r"^## (S\d [^\n]*)\n(.*?)(?=^## )", words, re.M | re.S):
        named = re.findall(r"`([a-z][a-z0-9_]*\*?)`", body)
        held = sorted({n for n in named if n in parameters or n.endswith("*")})
        places = sorted(set(re.findall(r"`(stages/\w+\.py)", body)))
        files = ", ".join(f"`ecosystem/{place}`" for place in places)
        rows.append([title, files, ", ".join(f"`{name}`" for name in held)])
    return "\n\n".join(
        [
            "## 7. Submodels",
            "Equations in words and formulas: [model.md](model.md). Defaults and ranges: "
            "[parameters.md](parameters.md).",
            table(["Stage", "Files", "Parameters"], rows),
        ]
    )


def rationale_section() -> str:
    """Return the decisions behind the model, as the model page gives them."""
    words = MODEL.read_text(encoding="utf-8")
    pattern = r"^## Where building changed the design.*?\n(.*?)(?=^## |\Z)"
    found = re.search(pattern, words, re.M | re.S)
    body = found.group(1).strip() if found else ""
    return f"## 8. Rationale: where building changed the design\n\n{body}"


def odd_page(table: Table, code: Code) -> str:
    """Return the description in the order of the protocol."""
    intro = (
        "The headings are those of the ODD protocol for agent-based models (Overview, Design "
        "concepts, Details) in its version of 2020, with the reasons for decisions at the end."
    )
    sections = [intro, PURPOSE, agents_section(table, code), SCHEDULING, CONCEPTS, START]
    return "\n\n".join([*sections, submodels_section(table), rationale_section()])

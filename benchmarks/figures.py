"""The figures with their goals, and how they are shown."""

from __future__ import annotations

import json
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Figure:
    """One figure of the table; its goal is a ceiling unless ``at_least``."""

    key: str
    words: str
    goal: float
    at_least: bool = False

    def is_met(self, value: float) -> bool:
        """Tell whether the goal is reached."""
        return value >= self.goal if self.at_least else value <= self.goal


FIGURES: dict[str, tuple[Figure, ...]] = {
    "calls": (
        Figure("link_existing", "calls a contact: linking those that exist on both sides", 0.012),
        Figure("export_new", "calls a contact: exporting, no duplicates made", 1.02),
        Figure("create_one", "calls: one new contact in daily work", 2),
        Figure("unchanged", "calls a contact: syncing again, nothing changed", 0),
        Figure("mass_edit", "calls a contact: the same value set on many", 0.02),
        Figure("burst_out", "calls: 20 edits of one contact", 1),
        Figure("burst_in", "calls: 20 pings for one contact", 1),
        Figure("echo", "calls a contact: webhooks that our own pushes set off", 0),
    ),
    "push": (
        Figure("of_ideal", "contacts a second, of 8 / latency", 0.85, at_least=True),
        Figure("vs_common", "contacts a second, times the common way's", 12, at_least=True),
        Figure("of_limit", "of a server's limit of 20 calls a second", 0.85, at_least=True),
        Figure("throttled", "of the calls: answered 429", 0.02),
    ),
    "pull": (Figure("of_orm", "contacts a second, of batched ORM writes", 0.6, at_least=True),),
    "save": (
        Figure("unmapped", "time of a save with the addon, over without: unmapped field", 1.05),
        Figure("mapped", "time of a save with the addon, over without: mapped field", 1.25),
        Figure("queries_unmapped", "queries added to a write: unmapped field", 0),
        Figure("queries_mapped", "queries added to a write of 100 contacts: mapped field", 1),
    ),
    "scale": (
        Figure("cost_ratio", "cost of pushing a contact: many partners, over few", 1.25),
        Figure("growth_mib", "MiB the process grows while draining ten times the rows", 32),
    ),
    "page": (
        Figure("ratio", "time of a portal page with the widget, over without", 1.05),
        Figure("queries", "queries added to an anonymous visitor's page", 0),
    ),
    "latency": (
        Figure("out_s", "seconds from a saved contact to the call's arrival", 1.5),
        Figure("in_s", "seconds from a webhook call to the written partner", 1.5),
    ),
}


@dataclass
class Outcome:
    """What a benchmark found: the figures by key, a remark on some, and lines to print below."""

    values: dict[str, float | None] = field(default_factory=dict)
    remarks: dict[str, str] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)

    def put(self, key: str, value: float | None, remark: str = "") -> None:
        """Note one figure; ``None`` where the addon cannot do it yet."""
        self.values[key] = None if value is None else round(value, 4)
        if remark:
            self.remarks[key] = remark


def table(name: str, outcome: Outcome) -> str:
    """Show the figures of one benchmark."""
    rows = [("figure", "", "goal", "reached", "met", "")]
    for figure in FIGURES[name]:
        value = outcome.values.get(figure.key)
        goal = f"{'at least' if figure.at_least else 'at most'} {figure.goal:g}"
        shown = ("not built", "-") if value is None else _shown(figure, value)
        remark = outcome.remarks.get(figure.key, "")
        rows.append((figure.key, figure.words, goal, *shown, remark))
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    lines = [name]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        lines.append("  " + "  ".join([*cells, row[5]]).rstrip())
    return "\n".join([*lines, *(f"  . {line}" for line in outcome.lines)])


def _shown(figure: Figure, value: float) -> tuple[str, str]:
    return f"{value:.4g}", "yes" if figure.is_met(value) else "NO"


def as_json(values: dict[str, float | None]) -> str:
    """Return the figures as the line that programs read."""
    return json.dumps(values)

"""Tables of the GPU experiment, from rows alone: medians, ratios within rounds, where processors overtake a GPU."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from atoll.scripts.lab.gpu.parts import ALL, PARTS
from atoll.scripts.lab.kit.study import plain_table
from atoll.scripts.lab.speed.rounds import by_round, ratios

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from atoll.scripts.lab.kit.rows import Row

KEYS = ("what", "tier", "lives", "processes", "islands")
"""What tells the lines of a table apart, besides the part."""
FIGURES: dict[str, Callable[[Row], float]] = {
    "bits equal": lambda row: row["equal"],
    "pellets": lambda row: row["pellets"],
    "load (s)": lambda row: row["load_s"],
    "M creature-steps/s": lambda row: row["steps"] / row["wall_s"] / 1e6,
    "nJ per creature-step": lambda row: 1e9 * row["spent_j"] / row["steps"],
    "power (W)": lambda row: row["spent_j"] / row["wall_s"],
    "generation (ms)": lambda row: row["generation_ms"],
    "trials/s": lambda row: row["per_s"],
    "calls per generation": lambda row: row["calls_per_generation"],
    "processor (s)": lambda row: row["cpu_s"],
    "wall (s)": lambda row: row["wall_s"],
}


def tables(found: Sequence[Row]) -> str:
    """Return the tables of all parts as Markdown; figures are medians of so many rows."""
    names = [*PARTS, *sorted({str(row["part"]) for row in found} - {*PARTS})]
    sections = [(name, [row for row in found if row["part"] == name]) for name in names]
    return "\n\n".join(f"### {name}\n\n{_section(name, of_part)}" for name, of_part in sections if of_part)


def _section(name: str, found: Sequence[Row]) -> str:
    failed = [f"failed: {row['error']}" for row in found if row["what"] == "failed"]
    measured = [row for row in found if row["what"] != "failed"]
    emulated = ["emulated: the figures mean nothing"] if any(row["device"] == "emulated" for row in found) else []
    beside = {"batch": _ratios, "together": _crossover}.get(name)
    return "\n\n".join(
        [*emulated, *([_table(measured)] if measured else []), *(beside(measured) if beside else []), *failed]
    )


def _table(measured: Sequence[Row]) -> str:
    keys = [key for key in KEYS if any(key in row for row in measured)]
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in measured:
        groups.setdefault(tuple(str(row.get(key, "")) for key in keys), []).append(row)
    lines = [[*key, *(_median(of, group) for of in FIGURES.values()), str(len(group))] for key, group in groups.items()]
    headings = [*keys, *FIGURES, "rows"]
    kept = [i for i, heading in enumerate(headings) if heading in keys or any(line[i] for line in lines)]
    return plain_table([headings[i] for i in kept], [[line[i] for i in kept] for line in lines])


def _median(of: Callable[[Row], float], group: Sequence[Row]) -> str:
    """Return the median of a figure as text; empty where the rows do not have it."""
    try:
        return f"{statistics.median(of(row) for row in group):,.4g}"
    except (KeyError, ZeroDivisionError):
        return ""


def _ratios(measured: Sequence[Row]) -> list[str]:
    """Say how much faster a GPU is, by ratios within rounds."""
    rounds = by_round(measured, "what", "lives")
    told = []
    for lives in sorted({row["lives"] for row in measured}):
        for other in ("reference", "native", ALL):
            found = ratios(rounds, ("cuda", lives), (other, lives), FIGURES["M creature-steps/s"])
            if found:
                told.append(f"- {lives:,} lives: cuda / {other} {statistics.median(found):.3g} ({len(found)} rounds)")
    return ["\n".join(told)]


def _crossover(measured: Sequence[Row]) -> list[str]:
    """Say from how many processes on processors run more trials than the GPU does at its best."""
    best = max((row["per_s"] for row in measured if row["what"] == "cuda"), default=None)
    if best is None:
        return []
    native = sorted((row["processes"], row["per_s"]) for row in measured if row["what"] == "native")
    first = next((processes for processes, per_s in native if per_s >= best), None)
    most = native[-1][0] if native else 0
    return [f"Processors overtake the GPU at {first} processes." if first else f"Not overtaken by {most} processes."]

"""The report of the experiments at equal budgets from their rows: tables, figures, and a file for each table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evo import atomic
from evo.errors import ConfigError
from scripts.compare.report import markdown
from scripts.experiments.islands import rows, tables
from scripts.experiments.islands.findings import found

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from scripts.experiments.islands.arms import Problem

PAGE = "report.md"
FIGURES = "figures"
WORDS = {
    "ratios": "How many times as fast as the pooled population each contender reaches its median, with intervals",
    "reached": "Share of runs that have reached the target, against evaluations, problem by problem",
    "rates": "How many times as fast as the pooled population, against the interval between migrations",
    "sizes": "How many times as fast as the pooled population, against the number of islands",
    "creatures": "Fitness of champions on the courses that they were trained on, and on 40 others",
}
"""What each figure shows, for who cannot see it."""


def write(problems: Sequence[Problem], folder: Path, *, plots: Path, tables_folder: Path | None) -> str:
    """Write `report.md` beside the rows and the figures into `plots`; return the text.

    Args:
        problems: Of which to report; those that have not been compared yet are left out.
        folder: Holds the rows.
        plots: Where figures go.
        tables_folder: Where each table gets a file of its own, and the figures one more with links to them.

    Raises:
        ConfigError: No problem has been compared yet.
        DamagedFileError: A row is damaged.
        StorageError: The file system refused.
    """
    from scripts.experiments.islands import figures  # noqa: PLC0415 - matplotlib takes a second to import

    known = rows.read(folder)
    findings = [each for each in (found(problem, known) for problem in problems) if each is not None]
    if not findings:
        raise ConfigError(
            f"{folder} holds {len(known)} rows, and no problem that was compared with one seed at least; run "
            f"'python -m scripts.experiments.islands run' first"
        )
    blocks = tables.blocks(findings, rows.read_starts(folder))
    with atomic.storage_errors("write the report"):
        atomic.make_directory(plots)
        files = figures.draw(findings, plots)
        sections = {**blocks, FIGURES: _links(files, beside=folder / PAGE)}
        text = "\n\n".join(f"## {name}\n\n{block}" for name, block in sections.items() if block) + "\n"
        atomic.replace_file(folder / PAGE, text.encode(), durable=False)
        if tables_folder is not None:
            links = _links(files, beside=tables_folder / f"{FIGURES}.md")
            markdown.write_tables(tables_folder, {**blocks, FIGURES: links})
    return text


def _links(files: Mapping[str, Path], *, beside: Path) -> str:
    return "\n\n".join(markdown.picture(file, words=WORDS[name], beside=beside) for name, file in files.items())

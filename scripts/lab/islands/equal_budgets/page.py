"""The whole report from rows alone: tables, figures, and a document whose generated blocks are filled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atoll.evo import atomic
from atoll.evo.errors import ConfigError
from atoll.scripts.lab.islands.equal_budgets import rows, tables
from atoll.scripts.lab.islands.equal_budgets.findings import found
from atoll.scripts.lab.kit import markdown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from atoll.scripts.lab.islands.equal_budgets.arms import Problem

PAGE = "report.md"
WORDS = {
    "ratios": "How many times as fast as the pooled population each contender reaches its median, with intervals",
    "reached": "Share of runs that have reached the target, against evaluations, problem by problem",
    "rates": "How many times as fast as the pooled population, against the interval between migrations",
    "sizes": "How many times as fast as the pooled population, against the number of islands",
    "creatures": "Fitness of champions on the courses that they were trained on, and on 40 others",
}
"""What each figure shows, for who cannot see it."""


def write(problems: Sequence[Problem], folder: Path, *, plots: Path, document: Path | None) -> str:
    """Write `report.md` beside the rows and the figures into `plots`; return the text.

    Args:
        problems: Of which to report; those that have not been compared yet are left out.
        folder: Holds the rows.
        plots: Where figures go.
        document: Whose generated blocks are filled; all else in it stays as it is.

    Raises:
        ConfigError: No problem has been compared yet.
        DamagedFileError: A row or the document's marks are damaged.
        StorageError: The file system refused.
    """
    from atoll.scripts.lab.islands.equal_budgets import figures  # noqa: PLC0415 - matplotlib takes a second to import

    known = rows.read(folder)
    findings = [each for each in (found(problem, known) for problem in problems) if each is not None]
    if not findings:
        raise ConfigError(
            f"{folder} holds {len(known)} rows, and no problem that was compared with one seed at least; run "
            f"'python -m scripts.lab islands run' first"
        )
    blocks = tables.blocks(findings, rows.read_starts(folder))
    with atomic.storage_errors("write the report"):
        atomic.make_directory(plots)
        files = figures.draw(findings, plots)
        sections = {**blocks, "figures": "\n\n".join(_links(files, beside=folder / PAGE).values())}
        text = "\n\n".join(f"## {name}\n\n{block}" for name, block in sections.items() if block) + "\n"
        atomic.replace_file(folder / PAGE, text.encode(), durable=False)
        if document is not None:
            links = _links(files, beside=document)
            markdown.refresh(document, {**blocks, **{f"figure-{name}": link for name, link in links.items()}})
    return text


def _links(files: Mapping[str, Path], *, beside: Path) -> dict[str, str]:
    return {name: markdown.picture(file, words=WORDS[name], beside=beside) for name, file in files.items()}

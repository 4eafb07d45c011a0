from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from atoll.evo.errors import ConfigError
from atoll.scripts.lab.kit import markdown
from atoll.scripts.lab.parallel import rows
from atoll.scripts.lab.parallel.report import tables
from tests.lab.parallel import synthetic
from tests.processes import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from atoll.scripts.lab.parallel.rows import RunRow


SIMULATED = ("inputs", "scaling", "islands", "misses", "plots")
KEPT = ("validation", "failure", "sensitivity")
"""Of the simulation, as they were made by an earlier version: nothing fills these blocks any more."""
THREADS = ("thread-law", "thread-population", "thread-limit")
"""Blocks that `scripts/lab/parallel/threads` fills."""


def write(folder: Path, table: list[RunRow]) -> None:
    folder.mkdir(exist_ok=True)
    for row in table:
        rows.append(folder / "runs.jsonl", row)


@pytest.mark.slow
def test_a_document_keeps_what_was_written_by_hand_and_gets_the_rest(tmp_path: Path) -> None:
    write(tmp_path / "out", synthetic.table(2))
    document = tmp_path / "RESULTS.md"
    marks = "".join(f"<!-- generated: {name} -->\n<!-- end: {name} -->\n" for name in ("verdicts", "plots", "threads"))
    document.write_text(f"by hand\n{marks}by hand, too\n")
    text = tables.report(tmp_path / "out", document=document, more={"threads": "of others"})
    filled = document.read_text()
    assert filled.startswith("by hand\n")
    assert filled.endswith("by hand, too\n")
    for part in ("optuna_threads", "of others", "](out/plots/gantt-tiny-reference.svg)"):
        assert part in filled
    assert (tmp_path / "out" / tables.PAGE).read_text() == text
    assert "](plots/gantt-tiny-reference.svg)" in text
    tables.report(tmp_path / "out", document=document, more={"threads": "of others"})
    assert document.read_text() == filled


@pytest.mark.slow
def test_each_session_has_plots_of_its_own(tmp_path: Path) -> None:
    write(tmp_path, [synthetic.run("p", synthetic.PROCESSES), synthetic.run("p", synthetic.PROCESSES, session="b / c")])
    tables.report(tmp_path)
    names = {file.relative_to(tmp_path / tables.PLOTS).parts[0] for file in (tmp_path / tables.PLOTS).rglob("*.svg")}
    assert names == {"synthetic", "b-c"}


def test_no_rows_are_a_mistake_that_is_explained(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no rows of runs"):
        tables.report(tmp_path)


def test_every_block_of_the_results_is_one_that_somebody_fills() -> None:
    """A misspelt name would stay "not yet measured" for ever."""
    known = {*tables.blocks([]), "plots", *THREADS}
    names = markdown.block_names((ROOT / "PARALLEL_RESULTS.md").read_text())
    assert names
    simulated = {f"simulated-{name}" for name in (*SIMULATED, *KEPT)}
    assert set(names) <= known | simulated

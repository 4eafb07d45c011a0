from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from atoll.evo.errors import ConfigError
from atoll.scripts.lab.parallel import rows
from atoll.scripts.lab.parallel.report import tables
from tests.lab.parallel import synthetic
from tests.processes import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from atoll.scripts.lab.parallel.rows import RunRow


SIMULATED = ("inputs", "scaling", "islands", "misses", "plots")
KEPT = ("validation", "failure", "sensitivity")
"""Of the simulation, as they were made by an earlier version: nothing writes these files any more."""
THREADS = ("thread-law", "thread-population", "thread-limit")
"""Tables that the experiments on threads write."""


def write(folder: Path, table: list[RunRow]) -> None:
    folder.mkdir(exist_ok=True)
    for row in table:
        rows.append(folder / "runs.jsonl", row)


@pytest.mark.slow
def test_every_block_has_a_file_of_its_own_and_what_is_written_by_hand_stays(tmp_path: Path) -> None:
    write(tmp_path / "out", synthetic.table(2))
    folder = tmp_path / "tables"
    folder.mkdir()
    (folder / "hand.md").write_text("by hand\n")
    text = tables.report(tmp_path / "out", tables_folder=folder, more={"threads": "of others"})
    files = {file.stem: file.read_text() for file in folder.iterdir()}
    assert set(files) == {*tables.blocks([]), "plots", "threads", "hand"}
    assert files["hand"] == "by hand\n"
    for name, part in (("verdicts", "optuna_threads"), ("threads", "of others"), ("plots", "](../out/plots/gantt-")):
        assert part in files[name]
    assert (tmp_path / "out" / tables.PAGE).read_text() == text
    assert "](plots/gantt-tiny-reference.svg)" in text
    tables.report(tmp_path / "out", tables_folder=folder, more={"threads": "of others"})
    assert {file.stem: file.read_text() for file in folder.iterdir()} == files


@pytest.mark.slow
def test_each_session_has_plots_of_its_own(tmp_path: Path) -> None:
    write(tmp_path, [synthetic.run("p", synthetic.PROCESSES), synthetic.run("p", synthetic.PROCESSES, session="b / c")])
    tables.report(tmp_path)
    names = {file.relative_to(tmp_path / tables.PLOTS).parts[0] for file in (tmp_path / tables.PLOTS).rglob("*.svg")}
    assert names == {"synthetic", "b-c"}


def test_no_rows_are_a_mistake_that_is_explained(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no rows of runs"):
        tables.report(tmp_path)


def test_every_table_of_the_results_is_one_that_a_command_writes_or_that_is_kept() -> None:
    """A file of a former name would stay as it is for ever."""
    simulated = {f"simulated-{name}" for name in (*SIMULATED, *KEPT)}
    names = {file.stem for file in (ROOT / "docs" / "findings" / "tables" / "parallel").iterdir()}
    assert names == {*tables.blocks([]), "plots", *THREADS} | simulated

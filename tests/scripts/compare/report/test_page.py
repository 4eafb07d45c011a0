from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from evo.errors import ConfigError
from scripts.compare import rows
from scripts.compare.report import page
from tests.processes import ROOT
from tests.scripts.compare import synthetic

if TYPE_CHECKING:
    from pathlib import Path

    from scripts.compare.rows import RunRow


SIMULATED = ("inputs", "validation", "failure", "scaling", "islands", "sensitivity", "plots")
THREADS = ("thread-law", "thread-population", "thread-limit")
"""Tables that the experiments on threads write."""


def write(folder: Path, table: list[RunRow]) -> None:
    folder.mkdir(exist_ok=True)
    for row in table:
        rows.append(folder / "runs.jsonl", row)


@pytest.mark.slow
def test_every_block_has_a_file_of_its_own_and_what_is_written_by_hand_stays(tmp_path: Path) -> None:
    write(tmp_path / "out", synthetic.table(2))
    tables = tmp_path / "tables"
    tables.mkdir()
    (tables / "hand.md").write_text("by hand\n")
    text = page.report(tmp_path / "out", tables_folder=tables, more={"threads": "of others"})
    files = {file.stem: file.read_text() for file in tables.iterdir()}
    assert set(files) == {*page.blocks([]), "plots", "threads", "hand"}
    assert files["hand"] == "by hand\n"
    for name, part in (("verdicts", "optuna_threads"), ("threads", "of others"), ("plots", "](../out/plots/gantt-")):
        assert part in files[name]
    assert (tmp_path / "out" / page.PAGE).read_text() == text
    assert "](plots/gantt-tiny-reference.svg)" in text
    page.report(tmp_path / "out", tables_folder=tables, more={"threads": "of others"})
    assert {file.stem: file.read_text() for file in tables.iterdir()} == files


@pytest.mark.slow
def test_each_session_has_plots_of_its_own(tmp_path: Path) -> None:
    write(tmp_path, [synthetic.run("p", synthetic.PROCESSES), synthetic.run("p", synthetic.PROCESSES, session="b / c")])
    page.report(tmp_path)
    names = {file.relative_to(tmp_path / page.PLOTS).parts[0] for file in (tmp_path / page.PLOTS).rglob("*.svg")}
    assert names == {"synthetic", "b-c"}


def test_no_rows_are_a_mistake_that_is_explained(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no rows of runs"):
        page.report(tmp_path)


def test_every_table_of_the_results_is_one_that_a_command_writes() -> None:
    """A file of a former name would stay as it is for ever."""
    simulated = {f"simulated-{name}" for name in SIMULATED}
    names = {file.stem for file in (ROOT / "docs" / "findings" / "tables" / "parallel").iterdir()}
    assert names == {*page.blocks([]), "plots", *THREADS} | simulated

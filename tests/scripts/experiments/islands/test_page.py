"""A report is derived from rows alone, and writes a file for each table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from evo import runlog
from evo.errors import ConfigError
from scripts.experiments.islands import page, rows, tables
from scripts.experiments.islands.figures import PAINTERS
from tests.processes import ROOT
from tests.scripts.experiments.islands.made import TINY, rows_of

if TYPE_CHECKING:
    from pathlib import Path

TRAP = TINY[0]
PRINTED = {"exchanging", "exchanging-20", "killed", "killed-ring", "joining"}
"""Tables that an experiment prints with `--table`."""


@pytest.mark.slow
def test_every_table_has_a_file_of_its_own_and_what_is_written_by_hand_stays(tmp_path: Path) -> None:
    runlog.append_all(tmp_path / rows.ROWS, rows_of(TRAP, gain=3.0).values())
    folder = tmp_path / "tables"
    folder.mkdir()
    for name in ("hand", "primary"):
        (folder / f"{name}.md").write_text("old\n")
    text = page.write(TINY, tmp_path, plots=tmp_path / "plots", tables_folder=folder)
    assert (folder / "hand.md").read_text() == "old\n"
    assert "islands faster" in (folder / "primary.md").read_text()
    assert "old" not in (folder / "primary.md").read_text()
    assert f"![{page.WORDS['ratios']}](../plots/ratios.svg)" in (folder / "figures.md").read_text()
    assert (tmp_path / page.PAGE).read_text() == text


def test_no_rows_are_a_mistake_that_is_explained(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="holds 0 rows, and no problem that was compared"):
        page.write(TINY, tmp_path, plots=tmp_path / "plots", tables_folder=None)


def test_every_table_of_the_finding_is_one_that_a_command_writes() -> None:
    names = {file.stem for file in (ROOT / "docs" / "findings" / "tables" / "islands").iterdir()}
    ours = {*tables.blocks([], []), page.FIGURES}
    assert ours <= names
    assert names - ours == {"peers", "peers-cost", "peers-tuning", "peers-where", *PRINTED}


def test_every_figure_has_words_for_who_cannot_see_it() -> None:
    assert set(page.WORDS) == set(PAINTERS)

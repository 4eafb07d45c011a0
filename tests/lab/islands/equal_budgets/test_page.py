"""A report is derived from rows alone, and fills a document without touching the rest of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from atoll.evo import runlog
from atoll.evo.errors import ConfigError
from atoll.scripts.lab.islands.equal_budgets import page, rows, tables
from atoll.scripts.lab.islands.equal_budgets.figures import PAINTERS
from atoll.scripts.lab.kit import markdown
from tests.lab.islands.equal_budgets.made import TINY, rows_of
from tests.processes import ROOT

if TYPE_CHECKING:
    from pathlib import Path

TRAP = TINY[0]


@pytest.mark.slow
def test_a_document_is_filled_and_the_rest_of_it_stays(tmp_path: Path) -> None:
    runlog.append_all(tmp_path / rows.ROWS, rows_of(TRAP, gain=3.0).values())
    document = tmp_path / "page.md"
    document.write_text(
        "by hand\n<!-- generated: primary -->\nold\n<!-- end: primary -->\n"
        "<!-- generated: figure-ratios -->\n<!-- end: figure-ratios -->\n"
    )
    text = page.write(TINY, tmp_path, plots=tmp_path / "plots", document=document)
    filled = document.read_text()
    assert filled.startswith("by hand\n")
    assert "islands faster" in filled
    assert f"![{page.WORDS['ratios']}](plots/ratios.svg)" in filled
    assert "old" not in filled
    assert (tmp_path / page.PAGE).read_text() == text


def test_no_rows_are_a_mistake_that_is_explained(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="holds 0 rows, and no problem that was compared"):
        page.write(TINY, tmp_path, plots=tmp_path / "plots", document=None)


def test_every_block_of_the_document_is_one_that_somebody_fills() -> None:
    names = set(markdown.block_names((ROOT / "docs" / "islands.md").read_text()))
    ours = {*tables.blocks([], []), *(f"figure-{name}" for name in PAINTERS)}
    assert ours <= names
    assert names - ours <= {"peers", "peers-cost", "peers-tuning", "peers-where"}

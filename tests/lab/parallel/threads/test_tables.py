from __future__ import annotations

from typing import TYPE_CHECKING

from atoll.scripts.lab.kit import rows
from atoll.scripts.lab.parallel.threads.experiments import blocks, texts
from tests.processes import ROOT

if TYPE_CHECKING:
    from pathlib import Path

KEPT = ROOT / "docs" / "measurements" / "threads"


def test_the_rows_that_are_kept_give_every_block_and_the_same_tables_on_a_page_of_their_own():
    runs = rows.read(KEPT)
    found = blocks(runs)
    assert found.keys() == {"thread-law", "thread-population", "thread-limit"}
    page = "\n\n".join(texts(runs))
    assert all(text in page for text in found.values())
    assert "| 5     | 6 | 12 | 24 | 48 | 96 | 192 | 384 |" in found["thread-law"]


def test_rows_of_other_benches_and_older_runs_are_left_out(tmp_path: Path):
    rows.Rows(tmp_path, "evaluator", {}).write({"what": "else"})
    assert blocks(rows.read(tmp_path)) == {}
    for file in KEPT.glob("limit.jsonl"):
        later = file.read_text().replace('"at":"20', '"at":"19').replace('"run":"20', '"run":"19')
        (tmp_path / file.name).write_text(later + file.read_text())
    assert blocks(rows.read(tmp_path))["thread-limit"] == blocks(rows.read(KEPT))["thread-limit"]

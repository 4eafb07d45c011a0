from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

from atoll.scripts.lab.parallel.threads.work import run as run_child
from tests.processes import run

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.slow
def test_a_piece_of_work_that_fails_says_why() -> None:
    with pytest.raises(RuntimeError, match="no such work"):
        run_child("no such work", {})


@pytest.mark.slow
def test_rows_are_kept_with_where_they_were_measured_and_give_the_same_tables_again(tmp_path: Path) -> None:
    measured = run(sys.executable, "-m", "atoll.scripts.lab", "threads", "limit", "--quick", "--out", tmp_path)
    assert measured.returncode == 0, measured.stderr
    rows = [json.loads(line) for line in (tmp_path / "limit.jsonl").read_text().splitlines()]
    assert len(rows) == 2
    assert {"host", "cpu", "cores", "torch", "commit", "load_1min", "is_quick"} <= rows[0].keys()
    again = run(sys.executable, "-m", "atoll.scripts.lab", "threads", "tables", tmp_path)
    assert again.stdout.strip() == measured.stdout.strip()

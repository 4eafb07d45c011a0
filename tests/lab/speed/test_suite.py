"""The whole suite at tiny sizes, as a user starts it."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

from atoll.evo import compiler
from atoll.scripts.lab.kit import rows
from atoll.scripts.lab.speed import __main__ as command
from atoll.scripts.lab.speed import report, suite
from atoll.scripts.lab.speed.plan import QUICK
from tests.processes import ROOT, run

if TYPE_CHECKING:
    from pathlib import Path

IN_EVERY_ROW = {
    *("at", "bench", "run", "repetition", "what", "load_1min", "build"),
    *("host", "cpu", "cores", "kernel", "python", "numpy", "torch", "commit", "dirty", "filesystem"),
    *QUICK.settings(),
}


def test_the_command_names_every_bench() -> None:
    assert tuple(suite.BENCHES) == command.NAMES
    assert "python -m scripts.lab bench $(BENCH)" in (ROOT / "Makefile").read_text()


@pytest.mark.slow
@pytest.mark.skipif(compiler.find() is None, reason="no C++ compiler")
def test_one_command_measures_everything_and_prints_what_its_rows_say(tmp_path: Path) -> None:
    ended = run(sys.executable, "-m", "atoll.scripts.lab", "bench", "--quick", "--out", tmp_path)
    assert ended.returncode == 0, ended.stderr
    runs = rows.read(tmp_path)
    assert {each.bench for each in runs} == set(suite.BENCHES)
    for each in runs:
        lines = (tmp_path / f"{each.bench}.jsonl").read_text().splitlines()
        assert [json.loads(line) for line in lines] == list(each.rows)
        assert all(row.keys() >= IN_EVERY_ROW for row in each.rows)
        assert {row["repetition"] for row in each.rows} == {0, 1}
    assert sorted(ended.stdout.split("\n\n")) == sorted(
        "".join(text + "\n\n" for text in report.texts(runs)).split("\n\n")
    )
    assert {path.name for path in tmp_path.iterdir()} == {f"{bench}.jsonl" for bench in suite.BENCHES}

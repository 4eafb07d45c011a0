"""One command measures everything; every table comes from rows alone."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from atoll.evo import compiler
from atoll.scripts.lab.kit import rows
from atoll.scripts.lab.speed.command import BENCHES, report, texts
from atoll.scripts.lab.speed.plan import QUICK
from tests.processes import ROOT, run

MEASUREMENTS = Path(__file__).parents[3] / "docs" / "measurements"
GOLDEN = """\
### generation

Abacus 9, 2 cores, 16 lanes, kernel 0, neural, ext4; python 3.11.7, numpy 2.4.6, torch 2.13.0; commit 0123456789; \
load 0.1 to 0.3; run 2026-11-23

**A generation, all included**

| what                   | median | min to max | n | target | held |
| ---------------------- | ------ | ---------- | - | ------ | ---- |
| whole / its evaluation | 1.25   | 1.2 to 1.5 | 3 | ≤ 1.25 | yes  |
| whole (ms)             | 150    | 120 to 250 | 3 |        |      |
| evaluation (ms)        | 100    | 100 to 200 | 3 |        |      |

**Share of each stage in a generation (%)**

| what             | median | min to max   | n | target | held |
| ---------------- | ------ | ------------ | - | ------ | ---- |
| evaluation: live | 80     | 66.7 to 83.3 | 3 |        |      |

**Cost of one call of a stage (ms)**

| what             | median | min to max | n | target | held |
| ---------------- | ------ | ---------- | - | ------ | ---- |
| evaluation: live | 200    | 200 to 400 | 3 |        |      |

left out: weather, 1 rows that no bench wrote

left out: 1 older runs on the same machine

"""


def write(folder: Path, name: str, rows: list[dict]) -> None:
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / f"{name}.jsonl").write_text(text)


def test_every_table_comes_from_the_rows_alone(tmp_path: Path) -> None:
    machine = {"host": "a", "cpu": "Abacus 9", "cores": 2, "python": "3.11.7", "numpy": "2.4.6", "torch": "2.13.0"}
    setting = {
        "build": "16 lanes, kernel 0",
        "controller": "neural",
        "filesystem": "ext4",
        "commit": "0123456789abcdef",
    }
    where = {"bench": "generation", **machine, **setting, "dirty": False, "generations": 10, "calls": 5}
    rows = [
        {**where, "at": run, "run": run, "repetition": n, "load_1min": n / 10 + 0.1, **row}
        for run, seconds in {"2026-11-22": [(9, 1)], "2026-11-23": [(1.5, 1), (1.2, 1), (2.5, 2)]}.items()
        for n, (whole_s, evaluation_s) in enumerate(seconds)
        for row in (
            {"what": "whole", "part": "", "wall_s": whole_s},
            {"what": "evaluation", "part": "", "wall_s": evaluation_s},
            {"what": "evaluation", "part": "live", "wall_s": evaluation_s},
        )
    ]
    write(tmp_path, "any-name", rows)
    write(tmp_path, "weather", [{"sun": True}])
    ended = CliRunner().invoke(report, [str(tmp_path)], catch_exceptions=False)
    assert ended.output == GOLDEN


def test_the_rows_that_are_kept_can_be_reported() -> None:
    ended = CliRunner().invoke(report, [str(MEASUREMENTS / "bench")], catch_exceptions=False)
    assert ended.exit_code == 0
    assert "### evaluator" in ended.output
    ended = CliRunner().invoke(report, [str(MEASUREMENTS)], catch_exceptions=False)
    assert "left out: native, 66 rows that no bench wrote" in ended.output


def test_rows_are_drawn_where_that_is_asked_for(tmp_path: Path) -> None:
    rows = [{"repetition": 0, "what": what, "n": 1, "work_per_s": 5.0, "cores": 2} for what in ("islands", "bare")]
    write(tmp_path, "scaling", [{**row, "wall_s": 1.0, "work": 5.0, "cpu_s": 1.0} for row in rows])
    plot = tmp_path / "plot.svg"
    ended = CliRunner().invoke(report, [str(tmp_path), "--plot", str(plot)], catch_exceptions=False)
    assert ended.exit_code == 0
    assert "Islands on 2 cores" in plot.read_text()


def test_no_rows_are_no_tables(tmp_path: Path) -> None:
    ended = CliRunner().invoke(report, [str(tmp_path)], catch_exceptions=False)
    assert (ended.exit_code, ended.output) == (0, "")


IN_EVERY_ROW = {
    *("at", "bench", "run", "repetition", "what", "load_1min", "build"),
    *("host", "cpu", "cores", "kernel", "python", "numpy", "torch", "commit", "dirty", "filesystem"),
    *QUICK.settings(),
}


def test_make_measures_what_it_is_told() -> None:
    assert "python -m scripts.lab bench $(BENCH)" in (ROOT / "Makefile").read_text()


@pytest.mark.slow
@pytest.mark.skipif(compiler.find() is None, reason="no C++ compiler")
def test_one_command_measures_everything_and_prints_what_its_rows_say(tmp_path: Path) -> None:
    ended = run(sys.executable, "-m", "atoll.scripts.lab", "bench", "--quick", "--out", tmp_path)
    assert ended.returncode == 0, ended.stderr
    runs = rows.read(tmp_path)
    assert {each.bench for each in runs} == set(BENCHES)
    for each in runs:
        lines = (tmp_path / f"{each.bench}.jsonl").read_text().splitlines()
        assert [json.loads(line) for line in lines] == list(each.rows)
        assert all(row.keys() >= IN_EVERY_ROW for row in each.rows)
        assert {row["repetition"] for row in each.rows} == {0, 1}
    assert sorted(ended.stdout.split("\n\n")) == sorted("".join(text + "\n\n" for text in texts(runs)).split("\n\n"))
    assert {path.name for path in tmp_path.iterdir()} == {f"{bench}.jsonl" for bench in BENCHES}

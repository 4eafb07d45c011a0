"""The benchmark of the native evaluator writes a row for every measurement, and derives its summary from them."""

import json

import pytest
from click.testing import CliRunner

from evo import compiler
from scripts.bench import native

pytestmark = pytest.mark.skipif(compiler.find() is None, reason="no C++ compiler")


def test_every_round_measures_everything_once_and_says_where(tmp_path):
    out = tmp_path / "bench" / "native.jsonl"
    ended = CliRunner().invoke(native.main, ["--life", "0.1", "--repetitions", "2", "--out", str(out)])
    assert ended.exit_code == 0, ended.output
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    measured = [(row["what"], row["part"], row["population"]) for row in rows]
    assert sorted(measured[:6]) == sorted(measured[6:])
    assert len(set(measured)) == 6
    assert all(row["work_per_s"] == row["work"] / row["wall_s"] and row["cpu"] and row["build"] for row in rows)
    assert "nominal fraction of the peak" in ended.output


def test_small_populations_do_the_work_of_large_ones():
    creatures = native.Creatures(native.CreatureOptions(courses=1, life_s=0.1), backend="native")
    small, large = (native._evaluations(creatures, n) for n in (native.SMALL, native.LARGE))
    [(_, least)] = {work for name, work in small.items() if name[1] == "evaluate"}
    [(_, most)] = {work for name, work in large.items() if name[1] == "evaluate"}
    assert most == native.LARGE * creatures.steps_per_genome
    assert least > 0.9 * most

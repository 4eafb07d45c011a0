from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from atoll.evo import compiler
from atoll.evo.tasks.creatures.task import CreatureOptions, Creatures
from atoll.scripts.lab.kit.rows import Run
from atoll.scripts.lab.speed import evaluator
from atoll.scripts.lab.speed.plan import QUICK

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.slow
@pytest.mark.skipif(compiler.find() is None, reason="no C++ compiler")
def test_every_backend_is_measured_at_its_populations_beside_the_peak(tmp_path: Path) -> None:
    rows = [row for case in evaluator.cases(QUICK, tmp_path) for row in case.measure()]
    keys = [(row["what"], row["part"], row["population"]) for row in rows]
    native = {("native", part, n) for part in ("evaluate", "live") for n in QUICK.populations}
    assert set(keys) == native | {("reference", "evaluate", n) for n in QUICK.reference_populations} | {evaluator.PEAK}
    assert len(set(keys)) == len(keys)
    for row in rows:
        assert row["work_per_s"] * row["wall_s"] == pytest.approx(row["work"])
        assert row["cpu_s"] >= 0
    steps = Creatures(CreatureOptions(courses=1, life_s=QUICK.life_s), backend="native").steps_per_genome
    small_do_the_work_of_large = {row["work"] for row in rows if row["what"] == "native"}
    assert small_do_the_work_of_large == {QUICK.least_lives * steps}


@pytest.mark.slow
def test_without_a_compiler_the_reference_is_measured_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiler, "find", lambda: None)
    rows = [row for case in evaluator.cases(QUICK, tmp_path) for row in case.measure()]
    assert [(row["what"], row["population"]) for row in rows] == [("reference", n) for n in QUICK.reference_populations]


def row(repetition: int, what: str, part: str, population: int, work_per_s: float) -> dict:
    return {"repetition": repetition, "what": what, "part": part, "population": population, "work_per_s": work_per_s}


def test_figures_are_ratios_within_a_round() -> None:
    """The second round is half as fast in everything, and no ratio knows it."""
    rows = [
        row(repetition, *key)
        for repetition, speed in enumerate((1.0, 0.5))
        for key in (
            ("peak", "", 0, speed * 100e9),
            ("native", "evaluate", 16, speed * 24e6),
            ("native", "evaluate", 250, speed * 30e6),
            ("native", "live", 250, speed * 40e6),
            ("reference", "evaluate", 250, speed * 0.6e6),
        )
    ]
    throughput, fractions, ratios = evaluator.tables(Run("evaluator", "now", tuple(rows)))
    found = {figure.what: figure for table in (fractions, ratios) for figure in table.figures}
    assert list(found["native evaluate, population 250 / peak"].values) == pytest.approx([0.3, 0.3])
    assert found["native evaluate, population 250 / peak"].is_held
    assert list(found["native: population 16 / 250"].values) == pytest.approx([0.8, 0.8])
    assert list(found["native: evaluate / live, population 250"].values) == pytest.approx([0.75, 0.75])
    assert list(found["native / reference, population 250"].values) == pytest.approx([50, 50])
    speeds = {figure.what: figure.median for figure in throughput.figures}
    assert speeds["native evaluate, population 250 (M creature-steps/s)"] == pytest.approx(22.5)
    assert not any("peak" in what for what in speeds)

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from click.testing import CliRunner

from atoll.scripts.lab.parallel import rows
from atoll.scripts.lab.parallel.report import study
from atoll.scripts.lab.parallel.simulate import sweep
from atoll.scripts.lab.parallel.simulate.sweep import (
    ARMS,
    CHUNKS,
    PROCESSES,
    SPINNING,
    THREADS,
    Inputs,
    main,
)
from tests.lab.parallel import synthetic
from tests.lab.parallel.made_rows import changed
from tests.lab.parallel.report.test_report import SIMULATED

if TYPE_CHECKING:
    from pathlib import Path

USUAL = Inputs()
EVEN = USUAL.with_value("trial_cv", 0.0).with_value("lock_s", 0.0)


@pytest.mark.parametrize(("workers", "rounds"), [(5, 20), (20, 5), (64, 2), (128, 1)])
def test_equal_trials_take_whole_rounds(workers, rounds):
    assert sweep.point(PROCESSES, workers, EVEN).speedup.median == pytest.approx(100 / rounds)


def test_threads_gain_nothing_from_more_of_them():
    found = [sweep.point(THREADS, workers, USUAL).speedup.median for workers in (5, 128)]
    assert found[0] == pytest.approx(found[1], rel=0.01)
    assert found[0] < 1


def test_equal_seeds_give_equal_points():
    assert sweep.point(PROCESSES, 20, USUAL) == sweep.point(PROCESSES, 20, USUAL)


@pytest.mark.parametrize(
    ("islands", "cv", "expected"),
    [(20, 0.1, 0.83), (20, 0.3, 0.59), (20, 0.6, 0.40), pytest.param(128, 0.3, 0.48, marks=pytest.mark.slow)],
)
def test_a_barrier_costs_what_others_computed(islands, cv, expected):
    """Mean / expected maximum, from an independent computation that the project's notes quote."""
    waiting = sweep.island_efficiency(islands, cv, barrier=True)
    assert waiting == pytest.approx(expected, abs=0.02)
    assert sweep.island_efficiency(islands, cv, barrier=False) > waiting


def test_every_input_lies_in_its_range_and_says_where_it_comes_from():
    for name, each in vars(Inputs()).items():
        assert each.low <= each.value <= each.high, name
        assert each.source
        assert each.meaning


def test_both_ends_of_every_range_can_be_simulated():
    for name, each in vars(Inputs()).items():
        for value in (each.low, each.high):
            changed = Inputs().with_value(name, value)
            assert [changed.way(arm, 5) for arm in ARMS]
            assert len(changed.trials(np.random.default_rng(0))) == changed.n_trials.value


def test_threads_share_one_lock_and_processes_do_not():
    inputs = Inputs()
    assert inputs.way(THREADS, 5).cap_cores == inputs.gil_cores.value
    assert inputs.way(PROCESSES, 5).cap_cores == math.inf
    assert inputs.way(SPINNING, 5).cores_per_trial == 64


def test_chunks_are_those_of_pool_map():
    """CPython's Pool divides the trials by four times the workers, and rounds up."""
    assert [Inputs().way(CHUNKS, workers).chunk for workers in (5, 20, 64)] == [5, 2, 1]


def test_an_unknown_way_is_an_error():
    with pytest.raises(KeyError):
        Inputs().way("magic", 5)


def test_inputs_are_taken_from_rows_where_rows_tell_them():
    (session,) = study.sessions(synthetic.table(4, noise=0.0))
    found = sweep.measured_inputs(session, session.workloads[0])
    assert found["gil_cores"].value == pytest.approx(1.35, rel=0.02)
    assert found["gil_inflation"].value == pytest.approx(2.15, rel=0.06)
    assert found["spin_inflation"].value == pytest.approx(5.9 / 2, rel=0.1)
    assert found["startup_s"].value == pytest.approx(1.0)
    assert all("measured" in each.source and each.low <= each.value <= each.high for each in found.values())
    assert sweep.inputs_of([session]).gil_cores == found["gil_cores"]


def test_an_input_comes_from_the_largest_trials_of_the_reference_that_tell_it():
    rows = [synthetic.run("sequential", synthetic.ALONE, tier=tier) for tier in ("tiny", "small")]
    rows.append(synthetic.run("sequential", synthetic.ALONE, tier="production", evaluator="native"))
    found = sweep.smallest_first(study.sessions(rows))
    assert [str(load) for _, load in found] == ["tiny, reference evaluator", "small, reference evaluator"]
    assert sweep.smallest_first([]) == []
    small = [run for run in synthetic.table(2, noise=0.0) if run.setting.threads == "1" and run.setting.fault is None]
    slower = [changed(run, tier="small", session="other", launched_s=run.launched_s - 7) for run in small]
    both = sweep.inputs_of(study.sessions([*synthetic.table(2, noise=0.0), *slower]))
    alone = sweep.inputs_of(study.sessions(synthetic.table(2, noise=0.0)))
    assert both.spin_inflation == alone.spin_inflation
    assert both.startup_s.value == pytest.approx(alone.startup_s.value + 7)


@pytest.mark.slow
def test_the_whole_simulation_is_labelled_and_writes_its_tables_alone(tmp_path: Path) -> None:
    for row in synthetic.table(4):
        rows.append(tmp_path / "runs.jsonl", row)
    tables = tmp_path / "tables"
    tables.mkdir()
    (tables / "verdicts.md").write_text("kept\n")
    arguments = ["--out", str(tmp_path), "--tables", str(tables), "--draws", "2"]
    done = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert done.exit_code == 0
    titles = [line for line in done.stdout.splitlines() if line.startswith("**")]
    assert titles
    assert all("imulat" in title for title in titles)
    files = {file.stem: file.read_text() for file in tables.iterdir()}
    assert set(files) == {"verdicts", *(f"simulated-{name}" for name in SIMULATED)}
    assert files["verdicts"] == "kept\n"
    assert not any("Not yet measured" in text for text in files.values())
    drawn = list((tmp_path / "plots").glob("*.svg"))
    assert len(drawn) == 2
    assert all("SIMULATED" in file.read_text() and file.with_suffix(".png").exists() for file in drawn)

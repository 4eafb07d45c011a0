from __future__ import annotations

from dataclasses import replace

import pytest

from atoll.scripts.lab.parallel.report import study
from atoll.scripts.lab.parallel.simulate import validation
from atoll.scripts.lab.parallel.simulate.inputs import Inputs
from atoll.scripts.lab.parallel.simulate.results import inputs_of
from tests.lab.parallel import synthetic


def checks(rows):
    (session,) = study.sessions(rows)
    found = validation.validate(session, session.workloads[0])
    return {(each.setting.label, each.setting.workers): each for each in found}


def test_rows_that_the_model_invented_are_predicted_by_it():
    """Exactly where nothing is fitted; a fitted inflation is a mean over the run, its end without company included."""
    found = checks(synthetic.table(4, noise=0.0))
    assert len(found) == 7
    for key, each in found.items():
        assert max(map(abs, each.differences)) < (0.1 if each.is_fitted else 1e-9), key


def test_nothing_is_fitted_where_nothing_has_to_be_and_never_on_the_blocks_that_are_predicted():
    found = checks(synthetic.table(4))
    assert not found["process_pool (spawn)", 2].is_fitted
    assert len(found["process_pool (spawn)", 2].differences) == 4
    assert found["optuna_threads", 2].is_fitted
    assert len(found["optuna_threads", 2].differences) == 2


def test_a_model_that_is_wrong_shows():
    """Processes that take half as long again as promised."""
    rows = [
        replace(row, trials=tuple(replace(t, end_s=t.start_s + 1.5 * (t.end_s - t.start_s)) for t in row.trials))
        if row.arm == "islands"
        else row
        for row in synthetic.table(2, noise=0.0)
    ]
    assert min(checks(rows)["islands", 2].differences) < -0.1


def test_one_block_cannot_be_fitted_and_tried():
    assert ("optuna_threads", 2) not in checks(synthetic.table(1))


def test_inputs_are_taken_from_rows_where_rows_tell_them():
    (session,) = study.sessions(synthetic.table(4, noise=0.0))
    found = validation.measured_inputs(session, session.workloads[0])
    assert found["gil_cores"].value == pytest.approx(1.35, rel=0.02)
    assert found["gil_inflation"].value == pytest.approx(2.15, rel=0.06)
    assert found["spin_inflation"].value == pytest.approx(5.9 / 2, rel=0.1)
    assert found["startup_s"].value == pytest.approx(1.0)
    assert all("measured" in each.source and each.low <= each.value <= each.high for each in found.values())
    assert Inputs().with_measured(found).gil_cores == found["gil_cores"]


def test_an_input_comes_from_the_largest_trials_of_the_reference_that_tell_it():
    rows = [synthetic.run("sequential", synthetic.ALONE, tier=tier) for tier in ("tiny", "small")]
    rows.append(synthetic.run("sequential", synthetic.ALONE, tier="production", evaluator="native"))
    found = validation.smallest_first(study.sessions(rows))
    assert [str(load) for _, load in found] == ["tiny, reference evaluator", "small, reference evaluator"]
    assert validation.smallest_first([]) == []
    small = [run for run in synthetic.table(2, noise=0.0) if run.threads == "1" and run.fault is None]
    slower = [replace(run, tier="small", session="other", launched_s=run.launched_s - 7) for run in small]
    both = inputs_of(study.sessions([*synthetic.table(2, noise=0.0), *slower]))
    alone = inputs_of(study.sessions(synthetic.table(2, noise=0.0)))
    assert both.spin_inflation == alone.spin_inflation
    assert both.startup_s.value == pytest.approx(alone.startup_s.value + 7)


def test_what_is_fitted_knows_nothing_of_the_blocks_that_are_predicted():
    """Threads that lose twice as much in even blocks: predicted from odd ones, they look half as long as they are."""
    usual = synthetic.THREADS
    worse = replace(usual, inflation=2 * usual.inflation)
    rows = [
        row
        for block in range(1, 5)
        for row in (
            synthetic.run("sequential", synthetic.ALONE, block=block),
            synthetic.run("optuna_threads", usual if block % 2 else worse, block=block),
        )
    ]
    assert checks(rows)["optuna_threads", 2].differences == pytest.approx((-0.5, -0.5), abs=0.05)

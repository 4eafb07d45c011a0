from __future__ import annotations

from dataclasses import replace

import pytest

from atoll.scripts.lab.parallel.report import criteria, study
from tests.lab.parallel import synthetic
from tests.lab.parallel.made_rows import changed
from tests.lab.parallel.synthetic import ALONE, PROCESSES, run


def answers(rows, table=criteria.EXPECTED):
    evidence = criteria.Evidence.of(study.sessions(rows))
    return {each.asked: each.answer(evidence).status for each in table}


LONG = {"tier": "production", "evaluator": "native"}


def test_rows_that_were_invented_to_fulfil_it_do():
    long = [run("sequential", ALONE, **LONG), run("islands", replace(PROCESSES, startup_s=0.3), **LONG)]
    found = answers([row for row in synthetic.table(10) if row.setting.fault != "hang"] + long)
    assert set(found.values()) == {criteria.MET}


def test_short_trials_of_islands_and_native_threads_are_told_and_not_judged():
    """The first are mostly the start of their process; the others hold no lock while they compute."""
    long = [run("sequential", ALONE, **LONG), run("optuna_threads", replace(PROCESSES, startup_s=0.0), **LONG)]
    evidence = criteria.Evidence.of(study.sessions([*synthetic.table(2), *long]))
    found = {each.where: each.answer(evidence) for each in criteria.EXPECTED}
    assert found["islands, long trials"].status == criteria.NOT_MEASURED
    assert "tiny, reference evaluator" in found["islands, long trials"].found
    assert found["`optuna_threads`, P = 2"].status == criteria.MET
    assert "production" not in found["`optuna_threads`, P = 2"].found


def test_without_rows_nothing_is_met():
    assert set(answers([]).values()) == {criteria.NOT_MEASURED}
    assert criteria.MET not in answers([], criteria.PLAN).values()


@pytest.mark.parametrize(
    ("change", "asked"),
    [
        (lambda row: changed(row, working_processes=2) if row.setting.arm == "optuna_threads" else row, "convoyed"),
        (lambda row: changed(row, stray_processes=1) if row.setting.fault else row, "no stray"),
        (lambda row: changed(row, trials=row.trials[:2]) if row.setting.fault else row, "at most that one trial lost"),
        (
            lambda row: changed(row, trials=wrong(row.trials)) if row.setting.arm == "islands" else row,
            "the same results",
        ),
        (lambda row: row if row.setting.threads == "1" else changed(row, samples=idle(row.usage.samples)), "spinning"),
    ],
)
def test_each_is_not_met_where_one_thing_is_wrong(change, asked):
    rows = [change(row) for row in synthetic.table(2) if row.setting.fault != "hang"]
    (status,) = [status for name, status in answers(rows).items() if asked in name]
    assert status == criteria.NOT_MET


def wrong(trials):
    return (replace(trials[0], result_hash="0" * 64), *trials[1:])


def idle(samples):
    return tuple((t, threads, processes, 0.3 * cores, pss) for t, threads, processes, cores, pss in samples)


def test_what_needs_more_cores_is_simulated_here_and_measured_there():
    asked = "about 5 times faster with 5 workers"
    assert answers(synthetic.table(2), criteria.PLAN)[asked] == criteria.SIMULATED
    large = replace(synthetic.HERE, cores=16)
    rows = [run("sequential", ALONE, provenance=large), run("pool", replace(PROCESSES, workers=5), provenance=large)]
    assert answers(rows, criteria.PLAN)[asked] == criteria.NOT_MET

from __future__ import annotations

from dataclasses import replace

import pytest

from atoll.scripts.lab.parallel.report import study
from atoll.scripts.lab.parallel.report.study import against, changes, noise, summarise
from tests.lab.parallel import synthetic
from tests.lab.parallel.made_rows import changed
from tests.lab.parallel.synthetic import ALONE, PROCESSES, SPINNING, run


def summaries(rows):
    (session,) = study.sessions(rows)
    found = summarise(session, session.workloads[0])
    return {(each.setting.label, each.setting.workers): each for each in found}


def test_ten_blocks_show_which_way_is_faster_and_which_is_slower():
    found = summaries(synthetic.table(10))
    assert found["process_pool (spawn)", 2].shown == "faster"
    assert found["optuna_threads", 2].shown == "slower"
    assert found["process_pool (spawn)", 1].shown == "equal"
    assert found["sequential", 1].shown == "the baseline"
    assert found["gpu_batch", 1].shown == "not compared"


def test_three_blocks_are_described_and_not_tested():
    found = summaries(synthetic.table(3))
    assert {each.shown for each in found.values()} == {"the baseline", "too few blocks to tell", "not compared"}
    assert all(each.p is None for each in found.values())


def test_settings_with_few_blocks_cost_the_others_nothing():
    many = synthetic.table(10)
    few = [run(f"arm{n}", PROCESSES, block=block) for n in range(40) for block in (1, 2, 3)]
    alone, beside = summaries(many), summaries(many + few)
    assert alone["process_pool (spawn)", 2].p == beside["process_pool (spawn)", 2].p < 0.05


def test_speedup_of_a_run_that_did_not_finish_is_an_upper_bound():
    late = run("p", SPINNING)
    late = changed(late, outcome="deadline", trials=(), exited_s=late.launched_s + 90)
    (each,) = [each for key, each in summaries([run("sequential", ALONE), late]).items() if key[0] == "p"]
    assert each.is_bound
    assert each.speedup.ratios[0] == pytest.approx(21 / 90, rel=0.01)


def test_rejected_runs_are_counted_where_they_belong():
    found = summaries(synthetic.table(2))
    assert {key: each.n_rejected for key, each in found.items() if each.n_rejected} == {
        ("process_pool (spawn; default threads)", 2): 1
    }


def test_equal_runs_differ_by_noise_alone():
    (session,) = study.sessions(synthetic.table(10))
    logs = noise(session, session.workloads[0])
    assert len(logs) == 10
    assert max(map(abs, logs)) < 0.1


def test_only_settings_that_differ_in_one_respect_are_compared():
    found = changes(summaries(synthetic.table(4)).values())
    assert [(each.before.threads, each.after.threads) for each in found] == [("1", "default")]
    assert found[0].ratio.ratios[0] == pytest.approx(0.2, rel=0.1)


def test_results_are_counted():
    found = summaries(synthetic.table(3))
    assert found["islands", 2].hashes == (12, 0)


def test_arms_are_held_against_a_pool_within_blocks():
    rows = synthetic.table(10)
    found = {
        each.setting.arm: (ratio, shown) for each, ratio, shown in against(summaries(rows).values(), "process_pool")
    }
    assert found["optuna_threads"][1] == "slower"
    assert found["islands"][1] == "equal"
    assert found["optuna_threads"][0].ratios[0] == pytest.approx(0.63 / 1.9, rel=0.15)
    few = against(summaries(synthetic.table(3)).values(), "process_pool")
    assert {shown for _, _, shown in few} == {"too few blocks to tell"}


def test_a_change_to_what_met_its_deadline_is_a_bound():
    late = run("p", SPINNING, threads="default", limit="none")
    late = changed(late, outcome="deadline", trials=(), exited_s=late.launched_s + 90)
    (change,) = changes(summaries([run("sequential", ALONE), run("p", PROCESSES), late]).values())
    assert change.bound == ("at most " if change.after.threads == "default" else "at least ")
    both = [run("sequential", ALONE), late, changed(late, wait_policy="passive")]
    assert changes(summaries(both).values()) == []


def test_the_mean_fitness_is_that_of_a_whole_run():
    part = run("p", PROCESSES, block=1)
    part = changed(part, trials=(replace(part.trials[0], error="E", fitness=()), *part.trials[1:]))
    whole = run("p", PROCESSES, block=2)
    found = summaries([run("sequential", ALONE), run("sequential", ALONE, block=2), part, whole])
    assert found["p", 2].mean_fitness == pytest.approx(1.5)
    (lost,) = [each for (label, _), each in summaries([run("sequential", ALONE), part]).items() if label == "p"]
    assert lost.mean_fitness is None

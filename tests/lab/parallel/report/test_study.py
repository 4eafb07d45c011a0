from __future__ import annotations

from dataclasses import replace

import pytest

from atoll.scripts.lab.parallel.metrics import Verdict
from atoll.scripts.lab.parallel.report import study
from tests.lab.parallel import synthetic
from tests.lab.parallel.made_rows import changed
from tests.lab.parallel.synthetic import ALONE, PROCESSES, SPINNING, THREADS, run


def only(rows):
    (session,) = study.sessions(rows)
    return session


def test_a_run_is_held_against_the_sequential_run_of_its_own_block():
    """The machine was half as fast in block 2, for both: their ratio is the same."""
    fast = [run("sequential", ALONE), run("pool", PROCESSES)]
    session = only([*fast, *(half_as_fast(row) for row in fast)])
    first, second = (each.metrics.speedup for each in session.runs if each.setting.arm == "pool")
    assert first == pytest.approx(second)


def half_as_fast(row):
    trials = tuple(replace(each, start_s=2 * each.start_s, end_s=2 * each.end_s) for each in row.trials)
    return changed(row, block=2, launched_s=2 * row.launched_s, exited_s=2 * row.exited_s, trials=trials)


def test_the_second_baseline_stands_in_for_a_lost_first_but_never_for_itself():
    lost = run("sequential", ALONE, rejected="the calibration kernel changed by 9.0%")
    session = only([lost, run("sequential", ALONE, is_repeat=True), run("pool", PROCESSES)])
    found = {each.setting.arm: each for each in session.runs}
    assert found["pool"].metrics.speedup == pytest.approx(1.9, rel=0.1)
    assert found["sequential"].metrics is None


def test_baselines_of_runs_with_faults_are_nothing_to_compare():
    faulty = run("p", PROCESSES, fault="kill")
    assert only([run("sequential", ALONE), faulty]).workloads == ()
    assert len(only([run("sequential", ALONE), faulty, run("p", PROCESSES)]).workloads) == 1
    assert len(only([run("sequential", ALONE)]).workloads) == 1


def test_islands_that_pay_for_their_start_are_not_called_spinning():
    started = run("islands", replace(PROCESSES, inflation=2.0))
    assert only([run("sequential", ALONE), started]).runs[1].judgement.verdict is Verdict.STARTING
    other = run("pool", replace(PROCESSES, inflation=2.0))
    assert only([run("sequential", ALONE), other]).runs[1].judgement.verdict is Verdict.SPINNING


def test_verdicts_are_those_of_the_ways_that_rows_were_invented_for():
    session = only([run("sequential", ALONE), run("t", THREADS), run("p", PROCESSES), run("s", SPINNING)])
    found = {each.setting.arm: each.judgement.verdict for each in session.runs}
    assert found == {
        "sequential": Verdict.SEQUENTIAL,
        "t": Verdict.CONVOYED,
        "p": Verdict.PARALLEL,
        "s": Verdict.SPINNING,
    }


def test_warm_up_faults_and_rejected_runs_do_not_count_and_are_kept():
    session = only(synthetic.table(2))
    assert all(each.row.block > 0 and not each.row.rejected and not each.row.setting.fault for each in session.runs)
    assert [row.rejected for row in session.rejected] == ["foreign processes used 0.40 cores"]
    assert {each.row.setting.fault for each in session.faults} == {"kill", "hang"}
    assert len(session.rows) == len(synthetic.table(2))


def test_without_a_sequential_run_in_its_block_nothing_is_said_of_a_run():
    (each,) = only([run("p", PROCESSES)]).runs
    assert (each.metrics, each.judgement, each.differing) == (None, None, None)


def test_a_rejected_sequential_run_says_nothing_of_time_and_all_of_results():
    rejected = changed(run("sequential", ALONE), rejected="noise")
    (each,) = only([rejected, run("p", PROCESSES)]).runs
    assert each.metrics is None
    assert each.differing == ()


def test_a_setting_all_of_whose_runs_were_rejected_is_named():
    rejected = changed(run("pool", PROCESSES), rejected="noise")
    assert only([run("sequential", ALONE), rejected]).without_a_run == ("pool, P = 2 (tiny, reference evaluator)",)
    assert only([rejected, run("pool", PROCESSES, block=2)]).without_a_run == ()


@pytest.mark.parametrize(
    "changes", [{"limit": "after_import"}, {"wait_policy": "passive"}, {"threads": "default", "limit": "none"}]
)
def test_a_sequential_run_that_is_a_factor_is_no_baseline_either(changes):
    assert only([run("sequential", ALONE, **changes), run("p", PROCESSES)]).runs[1].metrics is None


def test_other_results_are_found():
    other = run("t", THREADS)
    another = replace(other, trials=(replace(other.trials[0], result_hash="f" * 64), *other.trials[1:]))
    assert only([run("sequential", ALONE), another]).runs[1].differing == (0,)


def test_what_a_sampler_chose_is_compared_with_nothing():
    assert only([run("sequential", ALONE), run("o", PROCESSES, sampler="tpe")]).runs[1].metrics is None


def test_halves_of_a_session_on_two_boots_never_share_a_table():
    elsewhere = replace(synthetic.HERE, boot_id="1111-other")
    session, other = study.sessions([run("sequential", ALONE), run("p", PROCESSES, provenance=elsewhere)])
    assert other.runs[0].metrics is None
    assert session.name != other.name


@pytest.mark.parametrize(
    ("changes", "label"),
    [
        ({}, "pool"),
        ({"start_method": "spawn"}, "pool (spawn)"),
        ({"threads": "default", "limit": "none"}, "pool (default threads)"),
        ({"limit": "after_import"}, "pool (1 thread(s), set after the import)"),
        ({"wait_policy": "passive", "threads": "default", "limit": "none"}, "pool (default threads; passive waiting)"),
        ({"migrate_every": 5}, "pool (migration every 5)"),
    ],
)
def test_a_label_says_what_departs_from_the_usual(changes, label):
    assert run("pool", PROCESSES, **changes).setting.label == label


def test_different_settings_have_different_labels():
    rows = synthetic.table(1)
    settings = {study.compared(row) for row in rows}
    assert len({(each.label, each.workers) for each in settings}) == len(settings)


def test_larger_trials_come_first():
    ranks = [study.Workload(tier, "native").rank for tier in ("production", "medium", "small", "tiny", "unheard of")]
    assert ranks == sorted(ranks)


def test_a_run_that_did_not_finish_says_what_it_was_like_meanwhile():
    late = run("s", SPINNING)
    late = changed(late, outcome="deadline", trials=late.trials[:1])
    (_, each) = only([run("sequential", ALONE), late]).runs
    assert each.words == "did not finish (spinning)"


def test_settings_stand_in_the_order_of_the_arms_and_the_usual_one_comes_first():
    session = only(synthetic.table(2))
    order = [(setting.arm, setting.workers, setting.threads) for setting in session.settings(session.workloads[0])]
    assert order == [
        ("sequential", 1, "1"),
        ("optuna_threads", 2, "1"),
        ("process_pool", 1, "1"),
        ("process_pool", 2, "1"),
        ("process_pool", 2, "default"),
        ("islands", 1, "1"),
        ("islands", 2, "1"),
        ("gpu_batch", 1, "1"),
    ]

from __future__ import annotations

from dataclasses import replace

import pytest

from atoll.scripts.lab.parallel.report import study, tables
from tests.lab.parallel import synthetic
from tests.lab.parallel.made_rows import changed

SESSIONS = study.sessions(synthetic.table(10))
FEW = study.sessions(synthetic.table(3))


def line(text: str, *words: str) -> list[str]:
    (found,) = [each for each in text.splitlines() if all(word in each for word in words)]
    return [cell.strip() for cell in found.strip("|").split("|")]


def test_a_verdict_stands_with_its_figures():
    cells = line(tables.verdicts(SESSIONS), "optuna_threads")
    assert cells[2] == "convoyed"
    assert cells[3].startswith("0.65")
    assert cells[10] == "10"
    assert line(tables.verdicts(SESSIONS), "gpu_batch")[9] == "skipped: there is no GPU"


def test_few_blocks_are_marked_and_explained():
    assert "*)" in tables.verdicts(FEW)
    assert "range" in tables.fewest_blocks_note(FEW)
    assert "*)" not in tables.verdicts(SESSIONS)
    assert tables.fewest_blocks_note(SESSIONS) == ""


def test_rejected_runs_are_counted():
    assert line(tables.verdicts(SESSIONS), "default threads")[11] == "1"
    assert "1 of them rejected" in tables.provenance(SESSIONS)


def test_a_skipped_arm_uses_nothing():
    assert "gpu_batch" not in tables.resources(SESSIONS)
    assert line(tables.resources(SESSIONS), "optuna_threads")[2] == "5"


def test_the_noise_floor_says_what_blocks_can_show():
    assert "99.8 %" in tables.noise_floor(SESSIONS)
    assert "75.0 %" in tables.noise_floor(FEW)


def test_results_are_equal_or_not():
    rows = [
        changed(row, trials=tuple(replace(trial, result_hash="0" * 64) for trial in row.trials))
        if row.setting.arm == "optuna_threads"
        else row
        for row in synthetic.table(2)
    ]
    text = tables.hashes(study.sessions(rows))
    assert line(text, "optuna_threads")[3] == "8 differ"
    assert line(text, "default threads")[3] == "equal"


def test_a_fault_says_what_happened_and_whether_in_time():
    text = tables.faults(SESSIONS)
    assert line(text, "kill")[2:7] == ["finished", "4 of 4", "yes", "equal", "0"]
    assert line(text, "hang")[2:7] == ["deadline", "3 of 4", "no, ended at the deadline", "equal", "2"]


def test_one_change_is_a_row():
    assert line(tables.factors(SESSIONS), "default threads")[3].startswith("0.19")


def test_two_workloads_never_share_a_table():
    rows = synthetic.table(2) + [changed(row, tier="small") for row in synthetic.table(2)]
    text = tables.verdicts(study.sessions(rows))
    assert text.count("**tiny, reference evaluator") == text.count("**small, reference evaluator") == 1


def test_no_rows_give_no_text():
    for of in (tables.provenance, tables.verdicts, tables.resources, tables.noise_floor, tables.hashes, tables.faults):
        assert of([]) == ""


def test_reasons_for_rejection_are_counted_without_their_figures():
    rows = [
        changed(row, rejected=f"foreign processes used {n}.40 cores; somebody waited for a core {n}9.1% of the time")
        for n, row in enumerate(synthetic.table(2), start=1)
    ]
    text = tables.provenance(study.sessions(rows))
    assert f"{len(rows)}: foreign processes used … cores" in text
    assert "**no run that counts**: sequential, P = 1" in text


def test_arms_are_held_against_a_pool_and_efficiency_is_the_speedup_of_each_worker():
    assert line(tables.pools(SESSIONS), "optuna_threads")[-1] == "slower"
    cells = line(tables.verdicts(SESSIONS), "optuna_threads")
    assert float(cells[4]) == pytest.approx(float(cells[3].split()[0]) / 2, rel=0.01)
    assert "holds within 10 %" in tables.provenance(SESSIONS)

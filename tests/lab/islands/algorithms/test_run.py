"""A row of the comparison is a pure function of its job, a mark shows the best until then, and no job is run twice."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from atoll.evo import runlog
from atoll.evo.config import CMA, DE, GA, SNES
from atoll.scripts.lab.islands.algorithms import run
from atoll.scripts.lab.islands.algorithms.plan import FIRST_SEED_OF_CREATURES, FIRST_TEST_SEED, SEEDS, Problem
from atoll.scripts.lab.islands.algorithms.run import AUDITED, ROWS, STARTS, Course, measure, read, run_job
from tests.lab.islands.algorithms.made import job_of

CONTENDERS = (SNES, DE, f"4 x {SNES}", f"4 x {CMA}", f"4 x {CMA}, isolated")
EACH = pytest.mark.parametrize("name", CONTENDERS)
"""Alone, in lockstep and apart; the GA's population does not fit into the budget of the small problem."""


@EACH
def test_a_row_is_a_pure_function_of_its_job(name):
    job = job_of(name)
    row = run_job(job)
    assert row == run_job(job)
    assert row["job"] == job.key
    assert run_job(replace(job, seed=job.seed + 1))["best"] != row["best"]


@EACH
def test_a_run_spends_its_budget_and_the_champion_of_a_mark_is_the_best_of_its_evaluations(name):
    job = job_of(name)
    row = run_job(job)
    generation = job.arm.islands * (job.arm.population + 5)
    assert abs(row["evaluations"][-1] - job.marks[-1]) < 2 * generation
    for mark in job.marks:
        within = [best for spent, best in zip(row["evaluations"], row["best"], strict=True) if spent <= mark]
        assert row["at"][str(mark)]["best"] >= within[-1]
    found = [row["at"][str(mark)]["best"] for mark in job.marks]
    assert found == sorted(found)
    assert found[-1] <= row["best"][-1]


@example([(10, 1), (20, 2), (1, 3)], [30])
@given(
    st.lists(st.tuples(st.integers(1, 30), st.integers(-9, 9)), min_size=1, max_size=12),
    st.lists(st.integers(30, 300), min_size=1, max_size=4, unique=True),
)
def test_a_course_keeps_the_champion_of_the_last_generation_within_each_mark(generations, marks):
    course, spent, best, known = Course(sorted(marks)), 0, -10, []
    for evaluations, fitness in generations:
        spent, best = spent + evaluations, max(best, fitness)
        known.append((spent, best))
        course.note(SimpleNamespace(counts=SimpleNamespace(evaluations=spent), champion=SimpleNamespace(fitness=best)))
    expected = {n: max(best for spent, best in known if spent <= mark) for n, mark in enumerate(sorted(marks))}
    assert {place: champion.fitness for place, champion in course.champions.items()} == expected


def test_a_champion_that_walks_is_audited_at_every_mark():
    walk = Problem("walk", "creatures", {"courses": "1", "life_s": "1"}, 521, (30, 60), 60)
    row = run_job(job_of(SNES, problem=walk))
    assert all({*AUDITED, "is_sound", "best"} <= row["at"][mark].keys() for mark in ("30", "60"))


def test_a_champion_of_an_environment_is_paid_in_fresh_episodes() -> None:
    pytest.importorskip("gymnasium")
    pole = Problem("pole", "gym:CartPole-v1", {"episodes": "1"}, 58, (30,), 30)
    row = run_job(job_of(SNES, problem=pole))
    assert 1.0 <= row["at"]["30"]["unseen_fitness"] <= 500.0


def test_what_has_a_row_is_not_run_again_and_equal_jobs_are_run_once(tmp_path, monkeypatch):
    jobs, told, ran = [job_of(SNES, number=number) for number in (1, 2)], [], []
    monkeypatch.setattr(run, "run_job", lambda job: ran.append(job.seed) or run_job(job))
    measure([jobs[0], jobs[0]], tmp_path, workers=1, tell=told.append)
    assert ran == [jobs[0].seed]
    (row,) = read(tmp_path).values()
    with (tmp_path / ROWS).open("ab") as file:
        file.write(b'{"job":"cut')
    measure(jobs, tmp_path, workers=1, tell=told.append)
    assert ran == [job.seed for job in jobs]
    assert runlog.read(tmp_path / ROWS) == [row, run_job(jobs[1])]
    assert len(runlog.read(tmp_path / STARTS)) == 2
    assert [line.partition(":")[0] for line in told] == ["1 of 1", "1 of 1"]


def test_seeds_of_the_comparison_were_run_for_no_choice():
    chosen_by = {*range(901, 912)} | {*range(FIRST_TEST_SEED, FIRST_TEST_SEED + SEEDS)}  # these, by their whips
    assert not chosen_by & {*range(FIRST_SEED_OF_CREATURES, FIRST_SEED_OF_CREATURES + SEEDS)}
    assert not {*range(901, 912)} & {*range(FIRST_TEST_SEED, FIRST_TEST_SEED + SEEDS)}


def test_the_ga_with_its_population_is_run_as_the_others():
    bowl = Problem("bowl", "sphere", {"dimensions": "3"}, 3, (600,), 600)
    row = run_job(job_of(GA, problem=bowl))
    assert row["evaluations"][0] == row["population"] == 250
    assert row["at"]["600"]["best"] == row["best"][1]

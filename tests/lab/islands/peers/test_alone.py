"""Algorithms of one kind get the same function, size and length; what a row says is what one run found."""

from __future__ import annotations

import numpy as np
import pytest
from click.testing import CliRunner

from atoll.evo import runlog
from atoll.evo.tasks.loader import load_task
from atoll.scripts.lab.islands.peers import alone
from atoll.scripts.lab.islands.peers.plan import ATOLL, TARGET_SEEDS, Round, times

SPHERE = load_task("sphere", {"dimensions": "3"})
SEEDS = range(1, 4)
PACE = {(ATOLL, "de"): 2.0, ("pygmo", "sade"): 4.0, ("pygmo", "de1220"): 1.0}


@pytest.fixture(autouse=True)
def short(monkeypatch):
    """Make runs short."""
    monkeypatch.setattr(alone, "GENERATIONS", 20)


def row(stage, library, algorithm, seed, *, problem="rastrigin", scale=1.0):
    pace = PACE[library, algorithm] * (1 + 0.01 * (seed % 7))
    rounds = [(200 * n, scale * (-1000.0 + pace * n), 0.1 * n, 0.05 * n) for n in range(1, 101)]
    return {
        "stage": stage, "kind": "de", "library": library, "algorithm": algorithm, "problem": problem, "seed": seed,
        "rounds": rounds,
    }  # fmt: skip


ROWS = [
    *(row("targets", *who, seed) for who in PACE for seed in TARGET_SEEDS),
    *(row("comparison", *who, seed) for who in PACE for seed in range(1, 21)),
]


def lines(text, *words):
    return [line for line in text.splitlines() if all(word in line for word in words)]


def test_all_of_a_kind_meet_on_every_function_with_every_seed_after_the_target_seeds():
    planned = [{**call.keywords, "who": call.args} for call in alone.calls(["de"], alone.PROBLEMS, seeds=SEEDS)]
    met = {(each["stage"], each["seed"], each["problem"].label, *each["who"]) for each in planned}
    assert len(met) == len(planned) == (len(TARGET_SEEDS) + len(SEEDS)) * len(alone.PROBLEMS) * len(PACE)
    assert {each["who"] for each in planned} == {*PACE}
    assert [each["stage"] for each in planned] == sorted((each["stage"] for each in planned), reverse=True)


def test_no_seed_sets_a_target_and_is_compared():
    assert not {*TARGET_SEEDS} & {*range(1, 1000)}


@pytest.mark.parametrize("algorithm", ["snes", "de"])
def test_a_population_of_atolls_is_looked_at_after_every_interval(algorithm):
    rounds = alone.evolve(algorithm, SPHERE, seed=1)
    ends = range(alone.INTERVAL, alone.GENERATIONS + 1, alone.INTERVAL)
    assert [each.evaluations for each in rounds] == [alone.POPULATION * (end + 1) for end in ends]
    for column in ("best", "wall_s", "cpu_s"):
        values = [getattr(each, column) for each in rounds]
        assert values == sorted(values)
    again = alone.evolve(algorithm, SPHERE, seed=1)
    assert [(each.evaluations, each.best) for each in rounds] == [(each.evaluations, each.best) for each in again]


@pytest.mark.parametrize("algorithm", [peer for peers in alone.PEERS.values() for peer in peers])
@pytest.mark.parametrize("problem", alone.PROBLEMS, ids=lambda each: each.label)
def test_a_population_of_pygmos_spends_as_much_and_adapts_as_if_it_were_never_looked_at(algorithm, problem):
    run = pytest.importorskip("atoll.scripts.lab.islands.peers.run", reason="needs pygmo", exc_type=ImportError)
    sizes = {"population": alone.POPULATION, "generations": alone.GENERATIONS}
    rounds = run.evolve_alone(algorithm, problem, seed=3, interval=alone.INTERVAL, **sizes)
    (whole,) = run.evolve_alone(algorithm, problem, seed=3, interval=alone.GENERATIONS, **sizes)
    ends = range(alone.INTERVAL, alone.GENERATIONS + 1, alone.INTERVAL)
    assert [each.evaluations for each in rounds] == [alone.POPULATION * (end + 1) for end in ends]
    assert (rounds[-1].evaluations, rounds[-1].best) == (whole.evaluations, whole.best)
    assert [each.best for each in rounds] == sorted(each.best for each in rounds)
    assert rounds[-1].best <= 0


def test_a_population_that_grows_by_restarts_counts_for_as_many_evaluations_as_others_have():
    budget = alone.POPULATION * (alone.GENERATIONS + 1)
    grown = [Round(2 * alone.POPULATION * (n + 1), -1.0, n, n) for n in range(alone.GENERATIONS + 1)]
    looked_at = alone.looked_at(grown)
    assert looked_at == [each for each in grown[alone.INTERVAL :: alone.INTERVAL] if each.evaluations <= budget]
    assert 0 < len(looked_at) < alone.GENERATIONS // alone.INTERVAL


def test_rounds_that_brought_nothing_are_left_out_and_nothing_else():
    rounds = [Round(n, best, n, n) for n, best in enumerate([-5.0, -5.0, -3.0, -3.0, -1.0, -1.0])]
    kept = alone.condensed(rounds)
    assert [each.evaluations for each in kept] == [0, 2, 4, 5]
    for target in (-5.0, -4.0, -1.0, 0.0):
        one, other = ([{"rounds": [(e.evaluations, e.best, 0, 0) for e in of]}] for of in (rounds, kept))
        found = [times(each, target, lambda each: each.evaluations) for each in (one, other)]
        assert (found[0].to_target == found[1].to_target).all()
        assert (found[0].spent == found[1].spent).all()


def test_a_target_is_what_one_of_all_contenders_found_and_no_nearer_than_float32_genes_can_come():
    of_two = [each for each in ROWS if each["algorithm"] != "sade"]
    for rows in (ROWS, of_two):
        ends = sorted(each["rounds"][-1][1] for each in rows if each["stage"] == "targets")
        assert alone.target(rows, "rastrigin", "de") == ends[(len(ends) - 1) // 2] < -alone.ACCURACY
    near = [row("targets", *who, seed, scale=-1e-9) for who in PACE for seed in TARGET_SEEDS]
    assert alone.target(near, "rastrigin", "de") == -alone.ACCURACY


def test_wins_losses_and_what_keeps_within_the_bound_are_named():
    found = alone.table(ROWS)
    assert len(lines(found, "sade", "pygmo sade faster")) == 3
    assert len(lines(found, "de1220", "Atoll de faster")) == 3
    assert len(lines(found, "within 1.2")) == len(lines(found, "de1220", "evaluations")) == 1


def test_a_row_is_kept_for_each_run(tmp_path):
    pytest.importorskip("atoll.scripts.lab.islands.peers.run", reason="needs pygmo", exc_type=ImportError)
    file = tmp_path / "rows.jsonl"
    arguments = ["--algorithm", "de", "--function", "schwefel", "--seeds", "1", "--out", str(file)]
    ended = CliRunner().invoke(alone.main, arguments)
    assert ended.exit_code == 0, ended.output
    rows = runlog.read(file)
    assert len(rows) == (len(TARGET_SEEDS) + 1) * len(PACE)
    assert {(each["library"], each["algorithm"]) for each in rows} == {*PACE}
    assert all(each["rounds"][-1][0] == alone.POPULATION * (alone.GENERATIONS + 1) for each in rows)
    assert np.isfinite([each["rounds"][-1][1] for each in rows]).all()
    printed = CliRunner().invoke(alone.main, ["--table", str(file)]).output
    assert printed.strip() in ended.output


def test_a_missing_pygmo_is_one_line(monkeypatch):
    monkeypatch.setattr(alone, "find_spec", lambda _: None)
    ended = CliRunner().invoke(alone.main, ["--seeds", "1"])
    assert (ended.exit_code, ended.output) == (1, "Error: pygmo is not installed; pip install pygmo\n")

"""Each check notices who breaks its promise, and lets pass who keeps it."""

import itertools

import numpy as np
import pytest

from atoll.evo.errors import TaskError
from atoll.evo.tasks import contract
from atoll.evo.tasks.contract import BROKEN, NOTE, OK, Sample, first_sample
from tests.problems import Careless, Forgetful, Hill, Ordered, Relative, Weather, Wide


class Coarse(Hill):
    """Scores with another last digit when alone."""

    def score(self, total, episode):  # noqa: ARG002
        return total * (1 + (len(total) == 1) * 1e-6)


class Owned(Careless):
    """Changes what it is shown, but is only ever shown copies."""

    def evaluate(self, genes, episode):
        return Careless.evaluate(self, genes.copy(), episode)

    def evaluation(self, genes, episode):
        return Careless.evaluate(self, genes, episode)


class Flat(Hill):
    """Scores everyone alike."""

    def score(self, total, episode):  # noqa: ARG002
        return np.ones_like(total)


class Cornered(Hill):
    """Cannot score a genome at its bounds."""

    def score(self, total, episode):  # noqa: ARG002
        return np.where(total == total.round(), np.nan, total)


def sample(task, scores=None):
    genes = contract.sample_genes(task, 8)
    return Sample(task, genes, task.evaluate(genes, contract.EPISODE) if scores is None else scores, 0.001)


CHECKS = [
    contract.corners,
    contract.again,
    contract.neighbours,
    contract.unchanged,
    contract.episodes,
    contract.variety,
    contract.speed,
]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_a_task_that_keeps_the_contract_passes(check):
    assert check(sample(Hill())).outcome == OK


@pytest.mark.parametrize(
    ("check", "task", "outcome", "words"),
    [
        (contract.again, Forgetful, BROKEN, "scored differently the second time"),
        (contract.neighbours, Relative, BROKEN, "scored differently alone, or at another place"),
        (contract.neighbours, Ordered, BROKEN, "scored differently alone, or at another place"),
        (contract.neighbours, Coarse, NOTE, "but for the last digits"),
        (contract.unchanged, Careless, BROKEN, "changes the genes"),
        (contract.unchanged, Owned, NOTE, "islands hand out copies"),
        (contract.episodes, Weather, NOTE, "stochastic"),
        (contract.variety, Flat, NOTE, "all 8 random genomes score 1: selection has nothing to prefer"),
    ],
)
def test_who_breaks_a_promise_is_noticed(check, task, outcome, words):
    verdict = check(sample(task()))
    assert verdict.outcome == outcome
    assert words in verdict.says
    assert verdict.advice or outcome != BROKEN


@pytest.mark.parametrize(
    ("check", "task", "words"),
    [(contract.corners, Cornered, "finite numbers, got nan"), (contract.again, Wide, r"float32 of shape \(8,\)")],
)
def test_an_answer_that_is_none_is_an_error(check, task, words):
    with pytest.raises(TaskError, match=words):
        check(sample(task(), scores=np.zeros(8, np.float32)))
    if task is Wide:
        with pytest.raises(TaskError, match=words):
            first_sample(task())


def test_whatever_an_evaluation_of_ones_own_raises_is_told():
    task = Hill()
    task.evaluation = lambda genes, episode: 1 / 0  # noqa: ARG005
    with pytest.raises(TaskError, match="ZeroDivisionError"):
        contract.unchanged(sample(task))


@pytest.mark.parametrize(("factor", "outcome"), [(1.0, OK), (1 + 1e-6, NOTE), (1.1, BROKEN)])
def test_another_process_is_held_against_this_one(factor, outcome):
    here = sample(Hill())

    def elsewhere(n, episode):
        assert (n, episode) == (8, contract.EPISODE)
        return (here.scores * np.float64(factor)).astype(np.float32)

    verdict = contract.another_process(here, elsewhere=elsewhere)
    assert verdict.outcome == outcome
    assert ("hash()" in verdict.advice) == (outcome == BROKEN)


def test_a_slow_task_is_tried_on_fewer_genomes(monkeypatch):
    assert len(first_sample(Hill()).genes) == contract.N
    clock = itertools.count(step=10 * contract.SLOW_S)
    monkeypatch.setattr(contract.time, "perf_counter", lambda: next(clock))
    assert len(first_sample(Hill()).genes) == contract.N_SLOW


def test_speed_is_told_for_a_genome_and_a_generation():
    assert contract.speed(sample(Hill())).says == "1 ms per genome: 0.25 s for a generation of 250"


def test_a_long_layout_is_cut():
    assert (
        contract.layout(Hill()).says
        == "9 genes (x: 4 real from -1 to 3, gate: 3 gate from 0 to 1, n: 2 integer from -5 to 5)"
    )


def test_the_sample_is_the_same_in_every_process_and_within_bounds():
    task = Hill()
    assert contract.sample_genes(task, 5).tobytes() == contract.sample_genes(task, 5).tobytes()
    assert contract.sample_genes(task, 3).tobytes() == contract.sample_genes(task, 5)[:3].tobytes()
    assert task.spec.contains(contract.sample_genes(task, 5))

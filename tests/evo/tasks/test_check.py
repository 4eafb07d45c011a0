"""`tasks check` notices who breaks a promise, lets pass who keeps it, and tells it in one order, to the end."""

import itertools

import numpy as np
import pytest

from atoll.evo.errors import TaskError
from atoll.evo.genome import GenomeSpec, Kind, Segment
from atoll.evo.tasks import check
from atoll.evo.tasks.check import (
    BROKEN,
    MEANT_FOR_THE_DETERMINISTIC,
    NOTE,
    OK,
    Sample,
    broken_by,
    check_task,
    first_sample,
    loaded,
    sample_genes,
    score_elsewhere,
)
from atoll.evo.tasks.loader import load_task
from atoll.evo.tasks.task import FIRST_FRESH_EPISODE
from atoll.evo.tasks.user_task import ROLE
from tests.contracts import broken_promises
from tests.problems import Hill, Rock, Weather

ALL = [
    *("layout", "mutation", "answer", "corners", "again", "neighbours", "another process", "input", "episode"),
    *("variety", "speed"),
]


class Relative(Hill):
    """Scores a genome by its neighbours."""

    def score(self, total, episode):  # noqa: ARG002
        return total - total.mean()


class Ordered(Hill):
    """Scores a genome by its place."""

    def score(self, total, episode):  # noqa: ARG002
        return total + np.arange(len(total))


class Forgetful(Hill):
    """Scores by what it was asked before."""

    def score(self, total, episode):  # noqa: ARG002
        return total + len(self.asked)


class Coarse(Hill):
    """Scores with another last digit when alone."""

    def score(self, total, episode):  # noqa: ARG002
        return total * (1 + (len(total) == 1) * 1e-6)


class Careless(Hill):
    """Changes the genomes it is shown."""

    def evaluate(self, genes, episode):
        answer = super().evaluate(genes, episode)
        genes[0] = 0
        return answer


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


class Wide(Hill):
    """Answers in float64."""

    def evaluate(self, genes, episode):
        return super().evaluate(genes, episode).astype(np.float64)


class Thrifty(Hill):
    """Answers in one array for ever."""

    shelf = np.zeros(100, dtype=np.float32)

    def evaluate(self, genes, episode):
        answer = self.shelf[: len(genes)]
        answer[:] = super().evaluate(genes, episode)
        return answer


class Blocked(Hill):
    """Scores a genome by its place in a part of the population."""

    def score(self, total, episode):  # noqa: ARG002
        return total + (len(total) == 4)


class Lost(Hill):
    """Blows up and says so by a number that is none."""

    def score(self, total, episode):  # noqa: ARG002
        return np.where(total > np.median(total), np.nan, total)


class Nameless(Hill):
    name = ""


class Liar(Weather):
    is_deterministic = True


class Seasons(Hill):
    """Tells fresh episodes from those of generations, and no other."""

    def score(self, total, episode):
        return total + (episode >= FIRST_FRESH_EPISODE)


class Listed(Hill):
    """Knows the episodes of so many generations and no more."""

    def score(self, total, episode):
        if episode >= 1000:
            raise TaskError(f"list index out of range: {episode}")
        return total


class Broken(Hill):
    def evaluate(self, genes, episode):  # noqa: ARG002
        raise TaskError("no")


def sample(task, scores=None):
    genes = sample_genes(task, 8)
    return Sample(task, genes, task.evaluate(genes, check.EPISODE) if scores is None else scores, 0.001)


CHECKS = [
    check.corners,
    check.again,
    check.neighbours,
    check.unchanged,
    check.episodes,
    check.variety,
    check.speed,
]


@pytest.mark.parametrize("look", CHECKS, ids=lambda look: look.__name__)
def test_a_task_that_keeps_a_promise_passes_its_check(look):
    assert look(sample(Hill())).outcome == OK


@pytest.mark.parametrize("task", [Hill(), Weather()])
def test_a_task_that_keeps_the_contract_passes(task):
    assert broken_promises(task) == []


@pytest.mark.parametrize(
    "kind", [Relative, Ordered, Forgetful, Coarse, Careless, Thrifty, Blocked, Wide, Lost, Nameless]
)
def test_a_task_that_breaks_the_contract_is_noticed(kind):
    assert broken_promises(kind())


@pytest.mark.parametrize(
    ("look", "task", "outcome", "words"),
    [
        (check.again, Forgetful, BROKEN, "scored differently the second time"),
        (check.neighbours, Relative, BROKEN, "scored differently alone, or at another place"),
        (check.neighbours, Ordered, BROKEN, "scored differently alone, or at another place"),
        (check.neighbours, Blocked, BROKEN, "scored differently alone, or at another place"),
        (check.neighbours, Coarse, NOTE, "but for the last digits"),
        (check.unchanged, Careless, BROKEN, "changes the genes"),
        (check.unchanged, Owned, NOTE, "islands hand out copies"),
        (check.episodes, Weather, NOTE, "stochastic; champions are scored again in --champion-episodes fresh ones"),
        (check.episodes, Seasons, NOTE, "stochastic"),
        (check.episodes, Liar, BROKEN, "the task says that it is deterministic, and its score depends on the episode"),
        (check.variety, Flat, NOTE, "all 8 random genomes score 1: selection has nothing to prefer"),
    ],
)
def test_who_breaks_a_promise_is_noticed(look, task, outcome, words):
    verdict = look(sample(task()))
    assert verdict.outcome == outcome
    assert words in verdict.says
    assert verdict.advice or outcome != BROKEN


@pytest.mark.parametrize(
    ("look", "task", "words"),
    [
        (check.corners, Cornered, "finite numbers, got nan"),
        (check.again, Wide, r"float32 of shape \(8,\)"),
        (check.episodes, Listed, "list index out of range: 1000000001"),
    ],
)
def test_an_answer_that_is_none_is_an_error(look, task, words):
    with pytest.raises(TaskError, match=words):
        look(sample(task(), scores=np.zeros(8, np.float32)))
    if task is Wide:
        with pytest.raises(TaskError, match=words):
            first_sample(task())


def test_whatever_an_evaluation_of_ones_own_raises_is_told():
    task = Hill()
    task.evaluation = lambda genes, episode: 1 / 0  # noqa: ARG005
    with pytest.raises(TaskError, match="ZeroDivisionError"):
        check.unchanged(sample(task))


@pytest.mark.parametrize(("factor", "outcome"), [(1.0, OK), (1 + 1e-6, NOTE), (1.1, BROKEN)])
def test_another_process_is_held_against_this_one(factor, outcome):
    here = sample(Hill())

    def elsewhere(n, episode):
        assert (n, episode) == (8, check.EPISODE)
        return (here.scores * np.float64(factor)).astype(np.float32)

    verdict = check.another_process(here, elsewhere=elsewhere)
    assert verdict.outcome == outcome
    assert ("hash()" in verdict.advice) == (outcome == BROKEN)


def test_a_slow_task_is_tried_on_fewer_genomes(monkeypatch):
    assert len(first_sample(Hill()).genes) == check.N
    clock = itertools.count(step=10 * check.SLOW_S)
    monkeypatch.setattr(check.time, "perf_counter", lambda: next(clock))
    assert len(first_sample(Hill()).genes) == check.N_SLOW


def test_speed_is_told_for_a_genome_and_a_generation():
    assert check.speed(sample(Hill())).says == "1 ms per genome: 0.25 s for a generation of 250"


@pytest.mark.parametrize(
    ("segments", "outcome", "words"),
    [
        ((Segment("x", 20),), OK, "changes 1 of the 20 genes of a child on average"),
        ((Segment("x", 521),), OK, "changes 5.21 of the 521 genes"),
        ((Segment("x", 60), Segment("gate", 40, kind=Kind.GATE, scale=0.0)), OK, "changes 1 of the 100 genes"),
        ((Segment("x", 2), Segment("fixed", 8, scale=0.0)), NOTE, "changes 0.2 of the 10 genes of a child on average"),
    ],
)
def test_how_many_genes_of_a_child_mutate_is_told(segments, outcome, words):
    verdict = check.mutation(Hill(GenomeSpec(segments)))
    assert verdict.outcome == outcome
    assert words in verdict.says


def test_who_says_to_be_deterministic_is_held_to_it():
    class Fickle(Weather):
        is_deterministic = True

    verdict = check.episodes(sample(Fickle()))
    assert verdict.outcome == BROKEN
    assert "says that it is deterministic" in verdict.says
    assert "no genome is scored twice" in check.episodes(sample(Rock())).says
    assert "is_deterministic = True would save" in check.episodes(sample(Hill())).says


def test_a_long_layout_is_cut():
    assert (
        check.layout(Hill()).says
        == "9 genes (x: 4 real from -1 to 3, gate: 3 gate from 0 to 1, n: 2 integer from -5 to 5)"
    )


def test_the_sample_is_the_same_in_every_process_and_within_bounds():
    task = Hill()
    assert sample_genes(task, 5).tobytes() == sample_genes(task, 5).tobytes()
    assert sample_genes(task, 3).tobytes() == sample_genes(task, 5)[:3].tobytes()
    assert task.spec.contains(sample_genes(task, 5))


def checked(task):
    def elsewhere(n, episode):
        return task.evaluate(task.spec.sample(np.random.default_rng(20), n), episode)

    return {finding.check: finding for finding in check_task(task, "hill", elsewhere=elsewhere)}


def test_a_sound_task_has_nothing_but_good_findings():
    found = checked(Hill())
    assert list(found) == ALL
    assert {finding.outcome for finding in found.values()} == {OK}


def test_a_task_that_cannot_answer_is_asked_no_more():
    found = checked(Broken())
    assert list(found) == ["layout", "mutation", "answer"]
    assert found["answer"].outcome == BROKEN
    assert found["answer"].says == "no"


def test_of_a_task_that_scores_at_random_nothing_is_told_that_follows_from_it():
    found = checked(Forgetful())
    assert found["again"].outcome == BROKEN
    assert [name for name in ALL if name not in MEANT_FOR_THE_DETERMINISTIC] == list(found)


def test_a_check_that_fails_does_not_end_the_others():
    def elsewhere(n, episode):
        raise TaskError(f"asked for {n} at {episode}")

    found = {finding.check: finding for finding in check_task(Hill(), "hill", elsewhere=elsewhere)}
    assert list(found) == ALL
    assert found["another process"].says == "asked for 8 at 3"


def test_a_failure_is_told_without_the_advice_to_check_what_is_being_checked():
    error = TaskError(f"mine.py, line 3: wrong{ROLE.hint('mine.py:T')}")
    assert broken_by(error, "answer", "mine.py:T").says == "mine.py, line 3: wrong"


@pytest.mark.parametrize(
    ("seconds", "came", "outcome", "words"),
    [
        (0.1, {"json"}, OK, "no large library"),
        (2.0, {"json"}, NOTE, "2 s at each start"),
        (0.1, {"torch", "pandas"}, NOTE, "with torch, pandas"),
    ],
)
def test_loading_is_told_with_the_large_libraries_that_came_with_it(seconds, came, outcome, words):
    finding = loaded(seconds, {"scipy"}, {"scipy", *came})
    assert finding.outcome == outcome
    assert words in finding.says


def test_another_process_scores_the_same_bits_whatever_the_task_prints(tmp_path):
    (tmp_path / "mine.py").write_text(
        "print('loading')\nbounds = [(0, 1)] * 3\ndef T(x, k=1.0):\n    print('hi')\n    return k * x[0] / 3\n"
    )
    name = f"{tmp_path}/mine.py:T"
    here = load_task(name, {"k": "2.5"})
    there = score_elsewhere(name, {"k": "2.5"}, "auto", 5, 3)
    assert there.tobytes() == here.evaluate(sample_genes(here, 5), 3).tobytes()


def test_it_shares_nothing_with_this_process(tmp_path, monkeypatch):
    monkeypatch.delenv("PYTHONHASHSEED", raising=False)
    (tmp_path / "mine.py").write_text("bounds = [(0, 1)]\ndef T(x): return hash('a') % 2**20\n")
    scores = [score_elsewhere(f"{tmp_path}/mine.py:T", {}, "auto", 1, 3) for _ in range(2)]
    assert not np.array_equal(*scores)


def test_a_process_that_fails_says_why(tmp_path):
    (tmp_path / "mine.py").write_text("import nothing_of_the_kind\n")
    with pytest.raises(TaskError, match=r"another process fails where this one does not: .*nothing_of_the_kind"):
        score_elsewhere(f"{tmp_path}/mine.py:T", {}, "auto", 1, 3)


def test_what_a_task_prints_is_no_failure_where_it_cannot_be_encoded(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONIOENCODING", "ascii:strict")
    (tmp_path / "mine.py").write_text("bounds = [(0.0, 1.0)]\ndef f(x):\n    print('\\u2026\\udce9')\n    return 1.0\n")
    assert score_elsewhere(f"{tmp_path}/mine.py:f", {}, "auto", 2, 0).tolist() == [1.0, 1.0]

"""Islands by turns: who asks is answered as if alone, however many share a call, and an error hits who asked."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll.evo import turns
from atoll.evo.errors import TaskError
from atoll.evo.island import steps
from atoll.evo.turns import Pause, Request, take_turns
from tests.evo.lives import Memory, configured, disk, live, outcome
from tests.problems import MIXED, Hill, Rock, Weather


def asking(task, *requests, pauses=()):
    """Yield pauses, then requests of so many genomes in a generation; return the answers."""
    yield from pauses
    answers = []
    for n, generation in requests:
        genes = MIXED.sample(np.random.default_rng((n, generation)), n)
        answers.append((yield Request(task, genes, generation, generation)))
    return [answer.fitness.tolist() for answer in answers]


def never(*_):
    raise AssertionError("nobody waits")


REQUESTS = st.lists(st.tuples(st.integers(1, 4), st.integers(0, 5)), max_size=5)


@given(st.lists(REQUESTS, min_size=1, max_size=5), st.sampled_from([Hill, Rock, Weather]))
def test_answers_are_those_that_each_would_get_alone(lists, kind):
    together = take_turns({f"i{n}": asking(kind(), *requests) for n, requests in enumerate(lists)}, idle=never)
    alone = [take_turns({"": asking(kind(), *requests)})[""] for requests in lists]
    shared = kind()
    assert list(together.values()) == alone
    joint = take_turns({f"i{n}": asking(shared, *requests) for n, requests in enumerate(lists)}, idle=never)
    assert list(joint.values()) == alone
    assert sum(len(genes) for genes, _ in shared.asked) == sum(n for requests in lists for n, _ in requests)


def test_who_asks_for_the_same_episode_shares_a_call_and_others_do_not():
    task = Weather()
    take_turns({"a": asking(task, (2, 1)), "b": asking(task, (3, 1)), "c": asking(task, (4, 9))})
    assert [(len(genes), episode) for genes, episode in task.asked] == [(5, 1), (4, 9)]


def test_a_deterministic_task_is_asked_once_about_all_episodes():
    task = Rock()
    take_turns({"a": asking(task, (2, 1)), "b": asking(task, (3, 7))})
    assert [len(genes) for genes, _ in task.asked] == [5]


def test_tasks_are_asked_each_for_its_own_islands():
    tasks = Hill(), Hill()
    take_turns({"a": asking(tasks[0], (2, 1)), "b": asking(tasks[1], (3, 1)), "c": asking(tasks[0], (4, 1))})
    assert [[len(genes) for genes, _ in task.asked] for task in tasks] == [[6], [3]]


def test_who_is_a_generation_ahead_is_answered_with_the_others():
    """One asks more often within a generation, as for immigrants: whoever need not, waits for it."""
    task = Weather()
    take_turns({"a": asking(task, (1, 3), (1, 3), (1, 4)), "b": asking(task, (2, 3), (2, 4))})
    assert [(len(genes), episode) for genes, episode in task.asked] == [(3, 3), (1, 3), (3, 4)]


def test_who_is_further_ahead_goes_on():
    task = Weather()
    ended = take_turns({"a": asking(task, *[(1, g) for g in range(9)]), "b": asking(task, (2, 8))})
    assert [episode for _, episode in task.asked[:2]] == [0, 8]
    assert ended["b"]


class Broken(Hill):
    """Cannot score genomes whose first gene is below zero; asked for its answer in `asked`."""

    def evaluate(self, genes, episode):
        fitness = super().evaluate(genes, episode)
        if (genes[:, 0] < 0).any():
            raise TaskError(f"broken among {len(genes)}")
        return fitness


def one(task, first_gene):
    """Ask about a genome; return its score, or the error."""
    genes = np.zeros((1, MIXED.size), np.float32)
    genes[0, 0] = first_gene
    try:
        answer = yield Request(task, genes, 0, 0)
    except TaskError as error:
        return str(error)
    return float(answer.fitness[0])


def test_an_error_hits_who_asked_and_nobody_else():
    task = Broken()
    ended = take_turns({"a": one(task, 1.0), "b": one(task, -1.0), "c": one(task, 2.0)})
    assert ended["b"] == "broken among 1"
    assert ended["a"] < ended["c"]


def test_after_a_stop_signal_an_error_is_not_looked_into():
    """The signal has also ended what the task had started: asked again it would fail for everybody, or hang."""
    task = Broken()
    ended = take_turns({"a": one(task, 1.0), "b": one(task, -1.0)}, is_stopping=lambda: True)
    assert ended == dict.fromkeys("ab", "broken among 2")
    assert len(task.asked) == 1


def test_what_is_no_error_of_the_task_hits_who_asked_too_and_ends_all():
    class Bug(Hill):
        def evaluate(self, genes, episode):  # noqa: ARG002
            raise ZeroDivisionError

    closed = []

    def bystander():
        try:
            while True:
                yield Pause.WAITING
        finally:
            closed.append(True)

    with pytest.raises(ZeroDivisionError):
        take_turns({"a": bystander(), "b": asking(Bug(), (1, 0))})
    assert closed == [True]


def test_the_seconds_of_a_joint_call_are_shared_by_genomes():
    seen = {}

    def noting(name, n):
        answer = yield Request(task, np.zeros((n, MIXED.size), np.float32), 0, 0)
        seen[name] = answer.evaluate_s

    task = Hill()
    take_turns({"a": noting("a", 1), "b": noting("b", 3)}, clock=itertools.count(0, 8).__next__)
    assert seen == {"a": 2.0, "b": 6.0}


@pytest.mark.parametrize("order", ["abc", "cba"])
def test_all_publish_before_any_imports(order):
    here = []

    def member(name):
        here.append(("publish", name))
        yield Pause.PUBLISHED
        here.append(("import", name))

    take_turns({name: member(name) for name in order})
    assert [what for what, _ in here] == ["publish"] * 3 + ["import"] * 3


@given(st.integers(1, 4), st.integers(0, 6))
def test_who_waits_is_asked_again_as_often_as_it_takes(n, in_vain):
    idle = []
    lives = {f"i{k}": asking(Hill(), (1, 0), pauses=[Pause.WAITING] * in_vain) for k in range(n)}
    take_turns(lives, idle=lambda times, waiting: idle.append((times, waiting)))
    assert idle == [(times, [*lives]) for times in range(1, in_vain + 1)]


def test_nobody_who_goes_on_is_held_up_by_who_waits():
    idle = []
    task = Hill()
    lives = {"a": asking(task, pauses=[Pause.WAITING] * 5), "b": asking(task, *[(1, g) for g in range(5)])}
    take_turns(lives, idle=lambda *told: idle.append(told))
    assert len(task.asked) == 5
    assert idle == []


def test_pauses_grow_to_half_a_second(monkeypatch):
    slept = []
    monkeypatch.setattr(turns.time, "sleep", slept.append)
    for n in range(1, 2000):
        turns.back_off(n, ())
    assert slept[0] == turns.FIRST_PAUSE_S
    assert slept == sorted(slept)
    assert slept[-1] == turns.LONGEST_PAUSE_S
    assert sum(slept[:9]) < 1.1


def test_nobody_at_all_has_ended_at_once():
    assert take_turns({}) == {}


CONFIGS = [
    configured("island-01"),
    configured("island-02", migrate_every=3, generations=12, population=5),
    configured("island-01", topology="none", algorithm="ga"),
]


@pytest.mark.parametrize("kind", [Hill, Rock, Weather])
def test_lives_together_are_those_of_each_alone(kind):
    """Noisy tasks too, whose champions are scored again: with other intervals of migration and other sizes."""
    disks = [disk() for _ in CONFIGS]
    task = kind()
    take_turns(
        {
            f"{n}": steps(config, task, exchange=memory, recorder=memory)
            for n, config in enumerate(CONFIGS)
            for memory in [Memory(disks[n])]
        }
    )
    for config, on in zip(CONFIGS, disks, strict=True):
        alone = kind()
        assert outcome(on) == outcome(live(config, task=alone)[1])
    assert len(task.asked) < 2 * len(alone.asked)

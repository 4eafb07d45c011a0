"""`algorithms check` notices who breaks a promise, lets pass who keeps it, and tells it in one order, to the end."""

from dataclasses import replace

import numpy as np
import pytest

from atoll.evo.algorithms import check
from atoll.evo.algorithms.check import WHOLE_LIVES, Outcome, check_algorithm, config_of, live_elsewhere
from atoll.evo.algorithms.choice import algorithm_of
from atoll.evo.config import OWN_SETTINGS, island_config
from atoll.evo.errors import TaskError
from atoll.evo.tasks.check import BROKEN, NOTE, OK
from atoll.evo.tasks.loader import load_task

ALL = [
    *("answer", "immigrants", "corners", "again", "input", "memory"),
    *("restart", "another process", "progress", "speed"),
]
TASK = load_task("rastrigin", {"dimensions": "4"})
CONFIG = replace(config_of("ga", "rastrigin"), population=12)


class Sound:
    """Mutates the best, and remembers its step."""

    def start(self, state, spec):  # noqa: ARG002
        return {"step": np.array(0.3)}

    def breed(self, state, memory, spec, *, streams):
        parents = self.parents(state)
        moves = self.moves(streams, parents.genes.shape)
        genes = np.clip(parents.genes + memory["step"] * moves, spec.low, spec.high).astype(np.float32)
        return replace(parents, genes=genes), {"step": memory["step"] * 0.9}

    def parents(self, state):
        return state.population.take(np.full(len(state.fitness), state.fitness.argmax()))

    def moves(self, streams, shape):
        return streams("moves").normal(size=shape)


class Lucky(Sound):
    """Draws from the global generator."""

    def moves(self, streams, shape):  # noqa: ARG002
        return np.random.normal(size=shape)  # noqa: NPY002


class Counting(Sound):
    """Counts how often it was asked."""

    n = 0

    def moves(self, streams, shape):
        self.n += 1
        return self.n * super().moves(streams, shape)


class Secretive(Sound):
    """Remembers the best of all generations in itself, where asking twice does not show it."""

    best = None

    def parents(self, state):
        top = state.fitness.argmax()
        if self.best is None or state.fitness[top] > self.best[0]:
            self.best = state.fitness[top], state.population.genes[top].copy()
        parents = super().parents(state)
        return replace(parents, genes=np.broadcast_to(self.best[1], parents.genes.shape) + 0.001 * state.generation)


class Prepared(Sound):
    """Keeps what it saw of the founders in itself."""

    scale = 1.0

    def start(self, state, spec):
        self.scale = 1.0 + float(abs(state.fitness[0]))
        return super().start(state, spec)

    def moves(self, streams, shape):
        return self.scale * super().moves(streams, shape)


class Careless(Sound):
    """Changes the scores it is shown."""

    def parents(self, state):
        parents = super().parents(state)
        state.fitness[:] = 0
        return parents


class Forgetful(Sound):
    """Changes what it is to remember, and forgets a part of it."""

    def breed(self, state, memory, spec, *, streams):
        memory["step"][...] = 0.2
        return super().breed(state, memory, spec, streams=streams)


class Loose(Sound):
    """Leaves the bounds."""

    def moves(self, streams, shape):
        return np.full(shape, np.nan) + super().moves(streams, shape)


class Narrow(Sound):
    """Divides by the spread of the population, which clones have not."""

    def moves(self, streams, shape):
        return super().moves(streams, shape) * self.spread

    def parents(self, state):
        with np.errstate(all="ignore"):
            self.spread = 1 / np.ptp(state.population.genes, axis=0) * 0 + 1
        return super().parents(state)


class Homely(Sound):
    """Knows the islands of its founders alone."""

    def parents(self, state):
        return replace(super().parents(state), islands=state.population.islands[:1])


class Plain(Sound):
    """Returns genes alone."""

    def breed(self, state, memory, spec, *, streams):
        children, memory = super().breed(state, memory, spec, streams=streams)
        return children.genes, memory


class Growing(Sound):
    """Breeds more than there were."""

    def parents(self, state):
        return state.population.take(np.full(len(state.fitness) + 1, state.fitness.argmax()))


class Idle(Sound):
    """Looks for nothing better."""

    def parents(self, state):
        return state.population.take(np.full(len(state.fitness), state.fitness.argmin()))

    def moves(self, streams, shape):  # noqa: ARG002
        return np.zeros(shape)


class Wordy(Sound):
    """Remembers what no checkpoint keeps."""

    def start(self, state, spec):
        return {**super().start(state, spec), "words": np.array(["a"])}


def checked(kind, elsewhere=None):
    def same(kept):  # noqa: ARG001 - as if another process did what this one does
        algorithm, founders = kind(), check.founders_of(TASK, CONFIG)
        whole = check.started(algorithm, founders, TASK.spec)
        first = [*check.lives(algorithm, whole, TASK, CONFIG, until=check.MIDDLE)][-1]
        return Outcome(*[check.digest(check.lived(kind(), each, TASK, CONFIG)) for each in (first, whole)])

    return {finding.check: finding for finding in check_algorithm(kind, TASK, CONFIG, elsewhere=elsewhere or same)}


def test_a_sound_algorithm_has_nothing_but_good_findings():
    found = checked(Sound)
    assert list(found) == ALL
    assert {finding.outcome for finding in found.values()} == {OK}, found


@pytest.mark.parametrize("name", OWN_SETTINGS)
def test_the_built_in_algorithms_keep_their_contract(name):
    config = island_config("island-01", {"algorithm": name, "population": 12}, {})
    findings = check_algorithm(
        lambda: algorithm_of(config, TASK.spec), TASK, config, elsewhere=lambda _: Outcome("", "")
    )
    broken = [each for each in findings if each.outcome != OK and each.check not in {"another process", "progress"}]
    assert broken == []


@pytest.mark.parametrize(
    ("kind", "label", "outcome", "words"),
    [
        (Lucky, "again", BROKEN, "bred something else the second time"),
        (Counting, "again", BROKEN, "bred something else the second time"),
        (Secretive, "restart", BROKEN, "goes on from a checkpoint is not the one that was not cut"),
        (Prepared, "restart", BROKEN, "goes on from a checkpoint is not the one that was not cut"),
        (Careless, "input", BROKEN, "changes what it is given"),
        (Forgetful, "input", BROKEN, "changes what it is given"),
        (Narrow, "corners", BROKEN, "is nan, it may be -5.12 to 5.12"),
        (Homely, "immigrants", BROKEN, "must return a Population with state.population.islands"),
        (Plain, "immigrants", NOTE, "no gene of the next generation counts as theirs"),
        (Growing, "answer", NOTE, "4 generations of 13 or 14 or 15 or 16 children"),
        (Idle, "progress", NOTE, "nothing better than the best founder"),
    ],
)
def test_who_breaks_a_promise_is_noticed(kind, label, outcome, words):
    found = checked(kind)
    assert found[label].outcome == outcome, found
    assert words in found[label].says
    assert found[label].advice or outcome != BROKEN or label in {"corners", "immigrants"}


@pytest.mark.parametrize(("kind", "words"), [(Loose, "is nan"), (Wordy, "'words' is <U1")])
def test_an_algorithm_that_cannot_breed_is_asked_no_more(kind, words):
    found = checked(kind)
    assert list(found) == ["answer"]
    assert found["answer"].outcome == BROKEN
    assert words in found["answer"].says


def test_a_memory_that_a_checkpoint_does_not_bring_back_is_noticed(monkeypatch):
    monkeypatch.setattr(check, "through_file", lambda state: replace(state, memory={"step": np.zeros(())}))
    assert checked(Sound)["memory"].says == "what it remembers is not what a checkpoint keeps of it"


def test_where_immigrants_cannot_breed_no_whole_life_is_tried():
    assert list(checked(Homely)) == [name for name in ALL if name not in WHOLE_LIVES]


def test_of_an_algorithm_that_breeds_at_random_nothing_is_told_that_follows_from_it():
    assert list(checked(Lucky)) == [name for name in ALL if name not in WHOLE_LIVES]


@pytest.mark.parametrize(("which", "words"), [(0, "of a checkpoint"), (1, "of the founders")])
def test_another_process_is_held_against_this_one(which, words):
    def elsewhere(kept):
        told = [*checked_outcome(kept)]
        told[which] = "something else"
        return Outcome(*told)

    def checked_outcome(kept):  # noqa: ARG001
        whole = check.started(Sound(), check.founders_of(TASK, CONFIG), TASK.spec)
        return Outcome(*[check.digest(check.lived(Sound(), whole, TASK, CONFIG))] * 2)

    found = checked(Sound, elsewhere)["another process"]
    assert found.outcome == BROKEN
    assert words in found.says


def test_a_check_that_fails_does_not_end_the_others():
    def elsewhere(kept):
        raise TaskError(f"{len(kept) > 0}")

    found = checked(Sound, elsewhere)
    assert list(found) == ALL
    assert found["another process"].says == "True"


# In another process

SOURCE = """
from dataclasses import replace
import numpy as np

SEEN = []

class A:
    def start(self, state, spec):
        return {{}}

    def breed(self, state, memory, spec, *, streams):
        SEEN.append(state.population.genes[-1].copy())
        genes = spec.sample(streams("new"), len(state.fitness))
        {more}
        return replace(state.population, genes=genes), {{}}
"""


def found_in_file(place, more):
    place.write_text(SOURCE.format(more=more))
    name = f"{place}:A"
    config = config_of(name, "sphere")
    task = load_task("sphere", {})
    return {
        finding.check: finding
        for finding in check_algorithm(
            lambda: algorithm_of(config, task.spec),
            task,
            config,
            elsewhere=lambda kept: live_elsewhere(name, "sphere", {}, kept),
        )
    }


def test_another_process_lives_the_same_whatever_the_file_prints(tmp_path):
    found = found_in_file(tmp_path / "prints.py", "print('noise')")
    assert found["another process"].outcome == OK, found


def test_what_a_module_remembers_is_found_by_another_process_alone(tmp_path):
    """A new object of this process still has it."""
    found = found_in_file(tmp_path / "global.py", "genes[0] = SEEN[0]")
    assert [finding.check for finding in found.values() if finding.outcome == BROKEN] == ["another process"]
    assert found["another process"].says == "another process makes something else of a checkpoint"


def test_a_process_that_fails_says_why(tmp_path):
    place = tmp_path / "fails.py"
    place.write_text("import nothing_of_the_kind\n")
    with pytest.raises(TaskError, match=r"another process fails where this one does not: .*nothing_of_the_kind"):
        live_elsewhere(f"{place}:A", "sphere", {}, b"")

"""Islands in one process take turns: each goes on from migration to migration, and nobody starves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from evo.config import island_config
from evo.errors import LockstepTimeoutError, TaskError
from evo.tasks.loader import load_task
from scripts.archipelago import evolve_together, take_turns

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from evo.generation import State

SMALL = {"population": 8, "generations": 12, "migrate_every": 3, "migrants": 2, "task": "sphere"}


class Heard:
    """A keeper that remembers who logged which generation, in the order of all."""

    heard: list[tuple[str, int]]

    def __init__(self, island, heard):
        self._island, self.heard = island, heard

    def checkpoint(self, state):
        pass

    def champion(self, state):
        pass

    def log(self, state, *, evaluate_s):  # noqa: ARG002 - see `evo.island.Keeper`
        self.heard.append((self._island, state.generation))


def together(names="abc", **values):
    """Evolve islands; return their last states and who lived which generation in which order."""
    heard: list[tuple[str, int]] = []
    configs = [island_config(name, {**SMALL, **values}, {}) for name in names]
    states = evolve_together(configs, load_task("sphere", {}), keeper_of=lambda config: Heard(config.island, heard))
    return states, heard


def lockstep(names="abc", members="a,b,c", **values):
    return together(names, mode="lockstep", members=members, **values)


def genes(states):
    return {name: state.population.genes.tobytes() for name, state in states.items()}


def test_whoever_is_named_first_lockstep_is_the_same():
    expected = genes(lockstep()[0])
    for names in ("acb", "cba", "bca"):
        assert genes(lockstep(names)[0]) == expected
    assert genes(together()[0]) != expected


def test_nobody_is_more_than_a_migration_ahead():
    _, heard = lockstep()
    reached = dict.fromkeys("abc", 0)
    for name, generation in heard:
        reached[name] = generation
        assert max(reached.values()) - min(reached.values()) <= 2 * SMALL["migrate_every"]


def test_async_islands_take_turns_too():
    states, heard = together()
    assert {name: state.generation for name, state in states.items()} == dict.fromkeys("abc", 12)
    assert all(state.counts.imports > 0 for state in states.values())
    assert [name for name, generation in heard if generation == 3] == ["a", "b", "c"]


def test_a_member_alone_waits_for_nobody():
    assert lockstep("a", "a")[0]["a"].generation == 12


def test_a_missing_member_is_an_error_and_no_endless_loop():
    with pytest.raises(LockstepTimeoutError, match="a, c would wait for ever"):
        lockstep("ac", migrants=5)


def test_the_failure_of_one_ends_all():
    def failing() -> Generator[bool, None, State]:
        yield False
        raise TaskError("not finite")

    def going_on() -> Generator[bool, None, State]:
        while True:
            yield False

    with pytest.raises(TaskError):
        take_turns({"a": going_on(), "b": failing()})


@pytest.mark.parametrize("pauses", [[[False, True], [False]], [[True], [False, False, False]]])
def test_who_waits_is_asked_again_as_long_as_anybody_goes_on(pauses: list[Iterable[bool]]):
    def life(pauses: Iterable[bool], last: int) -> Generator[bool, None, int]:
        yield from pauses
        return last

    ended = take_turns({f"i{n}": life(each, n) for n, each in enumerate(pauses)})  # type: ignore[arg-type]
    assert ended == {"i0": 0, "i1": 1}

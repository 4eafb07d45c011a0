"""Islands come and go in one process, and nobody else's clock cares."""

from __future__ import annotations

from fractions import Fraction

import pytest

from atoll.evo.errors import ConfigError
from atoll.evo.recorder import MemoryRecorder
from atoll.evo.tasks.loader import load_task
from atoll.scripts.lab.islands.lifespans import Cast, Scene, Story, evolve, plan, run
from atoll.scripts.run.archipelago import evolve_together

TASK = load_task("rastrigin", {"dimensions": "6"})
SCENE = Scene(4, 10, 24, {"migrate_every": 3, "migrants": 2, "topology": "full"})
HALF = Fraction(1, 2)
UNDISTURBED = Cast("undisturbed")
ALL_ALONG = Cast("all along", changing=1)
KILLED = Cast("killed", changing=1, departure=Fraction(1, 4))
LEAVING = Cast("leaving", changing=2, departure=HALF)
JOINING = Cast("joining", changing=2, arrival=HALF)


def stories(cast: Cast, *, seed: int = 1) -> dict[str, Story]:
    configs, late = plan(cast, SCENE, seed=seed)
    found = {config.island: Story() for config in configs}
    evolve(configs, TASK, stories=found, late=late)
    return found


@pytest.mark.parametrize("cast", [UNDISTURBED, ALL_ALONG, KILLED, LEAVING, JOINING], ids=lambda cast: cast.name)
def test_who_is_there_all_along_reaches_the_last_generation_whoever_comes_and_goes(cast: Cast) -> None:
    row = run(cast, SCENE, TASK, seed=1)
    lived = int(SCENE.generations * (cast.departure - cast.arrival))
    expected = {name: lived if name in row["changing"] else SCENE.generations for name in SCENE.names()}
    assert row["reached"] == expected
    assert len(row["changing"]) == cast.changing
    assert all(row["imports"][name] > 0 for name in SCENE.names() if name not in row["changing"])


def test_nobody_notices_a_death_before_it_happens() -> None:
    """Up to the migration before it every island is what it would have been.

    The victim would have published at 9, and who comes after it in a turn would have found that at 6.
    """
    undisturbed, killed = stories(UNDISTURBED), stories(KILLED)
    [victim] = SCENE.changing(KILLED, seed=1)
    assert len(killed[victim].best) == 6 + 1
    assert all(killed[name].shares[:6] == undisturbed[name].shares[:6] for name in SCENE.names() if name != victim)
    assert killed[victim].best == undisturbed[victim].best[:7]


def test_nobody_notices_a_joiner_before_it_comes() -> None:
    """Until then, at 12, those that are there live as if nobody else were to come."""
    joining = stories(JOINING)
    there = sorted(set(SCENE.names()) - set(SCENE.changing(JOINING, seed=1)))
    configs = [config for config in plan(JOINING, SCENE, seed=1)[0] if config.island in there]
    alone = {name: Story() for name in there}
    evolve(configs, TASK, stories=alone, late={})
    for name in there:
        assert joining[name].shares[:12] == alone[name].shares[:12]
        assert joining[name].best[:12] == alone[name].best[:12]
        assert joining[name].shares != alone[name].shares


def test_with_nobody_coming_or_going_it_is_the_archipelago_that_others_make() -> None:
    configs, late = plan(UNDISTURBED, SCENE, seed=3)
    ours = evolve(configs, TASK, stories={config.island: Story() for config in configs}, late=late)
    theirs = evolve_together(configs, TASK, recorder_of=lambda _: MemoryRecorder())
    assert late == {}
    for name, state in theirs.items():
        assert ours[name].population.genes.tobytes() == state.population.genes.tobytes()


def test_equal_seeds_give_equal_rows_and_each_seed_another_victim() -> None:
    assert run(KILLED, SCENE, TASK, seed=1) == run(KILLED, SCENE, TASK, seed=1)
    victims = [SCENE.changing(KILLED, seed=seed) for seed in range(4)]
    assert sorted(victims) == [[name] for name in SCENE.names()]


def test_what_is_contributed_is_a_share_and_nothing_before_anybody_comes() -> None:
    row = run(JOINING, SCENE, TASK, seed=1)
    assert len(row["share"]) == SCENE.generations + 1
    assert row["share"][:12] == [0.0] * 12
    assert 0 < max(row["share"]) <= 1, "joiners are imported from"
    assert run(UNDISTURBED, SCENE, TASK, seed=1)["share"] == [0] * 25


def test_somebody_must_be_there_all_along() -> None:
    with pytest.raises(ConfigError, match="at most 3"):
        run(Cast("all", changing=4), SCENE, TASK, seed=1)

"""Islands come and go in one process, and nobody else's clock cares; costs are told from pairs of equal seeds."""

from __future__ import annotations

import gzip
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from atoll.evo import runlog
from atoll.evo.errors import ConfigError
from atoll.evo.recorder import MemoryRecorder
from atoll.evo.tasks.loader import load_task
from atoll.scripts.lab.islands import lifespans
from atoll.scripts.lab.islands.lifespans import (
    Cast,
    Scene,
    Story,
    cost,
    evolve,
    joining,
    joining_table,
    killed,
    mean_interval,
    pairs,
    plan,
    run,
)
from atoll.scripts.run.archipelago import evolve_together

if TYPE_CHECKING:
    from pathlib import Path


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


def test_with_nobody_coming_or_going_and_nobody_migrating_it_is_the_archipelago_that_others_make() -> None:
    configs, late = plan(UNDISTURBED, replace(SCENE, settings={**SCENE.settings, "topology": "none"}), seed=3)
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


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=30))
def test_an_interval_holds_its_mean_and_moves_with_the_values(values: list[float]) -> None:
    mean, low, high = mean_interval(values)
    assert min(values) - 1e-9 <= low <= mean + 1e-9
    assert mean - 1e-9 <= high <= max(values) + 1e-9
    moved = mean_interval([value + 5 for value in values])
    assert np.allclose(moved, [mean + 5, low + 5, high + 5])


def test_an_interval_is_about_as_wide_as_theory_says() -> None:
    values = np.random.default_rng(0).normal(size=400)
    _, low, high = mean_interval(list(values))
    assert high - low == pytest.approx(2 * 1.96 / 20, rel=0.15)


def test_only_equal_seeds_make_a_pair() -> None:
    rows = [{"task": "t", "cast": cast, "seed": seed} for cast, seed in [("x", 1), ("x", 2), ("y", 2), ("y", 3)]]
    assert pairs(rows, "x", "y") == {"t": [(rows[1], rows[2])]}


CASTS = (lifespans.UNDISTURBED, lifespans.KILLED)
SMALL = ["--population", "8", "--generations", "40", "--islands", "3", "--seeds", "3"]


@given(st.lists(st.floats(-1e3, 1e3), min_size=3, max_size=20), st.floats(-50, 50))
def test_the_same_loss_for_every_seed_is_that_loss_whatever_the_spread(bests: list[float], loss: float) -> None:
    found = cost(bests, [best - loss for best in bests])
    assert np.allclose([found.difference, found.low, found.high], -loss, atol=1e-6)
    if abs(abs(loss) - found.spread) > 1e-6:
        assert found.is_small == (abs(loss) < found.spread)


def test_a_loss_is_small_only_if_its_whole_interval_is() -> None:
    """Differences from -10 to 10 say nothing of what the mean is, so their mean of 0 is not called small."""
    bests = [0.0, 1.0, 2.0, 3.0]
    after = [10.0, -9.0, 12.0, -7.0]
    found = cost(bests, after)
    assert abs(found.difference) < found.spread
    assert not found.is_small


@pytest.mark.slow
@pytest.mark.parametrize(("command", "kinds"), [(killed, 2), (joining, 3)])
def test_rows_are_written_as_they_come_and_the_table_is_made_of_them_alone(
    tmp_path: Path, command: object, kinds: int
) -> None:
    out = tmp_path / "rows" / "rows.jsonl"
    measured = CliRunner().invoke(command, [*SMALL, "--task", "trap", "--out", str(out)])  # type: ignore[arg-type]
    assert measured.exit_code == 0, measured.output
    rows = runlog.read(out)
    assert len(rows) == 3 * kinds
    assert len({row["cast"] for row in rows}) == kinds
    assert all(row["commit"] and row["task"] == "trap" for row in rows)
    again = CliRunner().invoke(command, ["--table", str(out)])  # type: ignore[arg-type]
    assert again.output in measured.output
    assert "| trap |" in again.output
    assert len(runlog.read(out)) == len(rows)


def test_a_topology_that_is_none_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    out = tmp_path / "rows.jsonl"
    told = CliRunner().invoke(killed, ["--topology", "rings", "--out", str(out)])
    assert told.exit_code == 2
    assert "rings" in told.output
    assert not out.exists()


def test_the_topology_is_that_of_every_island(tmp_path: Path) -> None:
    out = tmp_path / "rows.jsonl"
    told = CliRunner().invoke(killed, [*SMALL, "--task", "trap", "--topology", "ring", "--out", str(out)])
    assert told.exit_code == 0, told.output
    assert {row["settings"]["topology"] for row in runlog.read(out)} == {"ring"}


def test_a_task_that_is_none_is_refused_with_those_there_are(tmp_path: Path) -> None:
    told = CliRunner().invoke(killed, ["--task", "sphere", "--out", str(tmp_path / "rows.jsonl")])
    assert told.exit_code == 2
    assert "creatures, rastrigin, schwefel, trap" in told.output


def test_rows_may_be_compressed_and_what_is_none_is_refused(tmp_path: Path) -> None:
    rows = [{"task": "t", "cast": cast.name, "seed": seed, "best": float(seed)} for seed in (1, 2) for cast in CASTS]
    plain, packed, broken = (tmp_path / name for name in ("rows.jsonl", "rows.jsonl.gz", "broken.jsonl.gz"))
    runlog.append_all(plain, rows)
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    broken.write_bytes(packed.read_bytes()[:-9])
    told = {path: CliRunner().invoke(killed, ["--table", str(path)]) for path in (plain, packed, broken)}
    assert told[plain].output == told[packed].output
    assert "| t | 2 |" in told[plain].output
    assert told[broken].exit_code == 1
    assert told[broken].output.startswith("Error: ")


@pytest.mark.slow
def test_nobody_that_was_there_all_along_stalled(tmp_path: Path) -> None:
    out = tmp_path / "rows.jsonl"
    CliRunner().invoke(joining, [*SMALL, "--task", "trap", "--out", str(out)])
    lines = joining_table(runlog.read(out)).splitlines()[2:]
    assert len(lines) == 3
    assert all(line.endswith("| 0 |") for line in lines)
    rows = [{**row, "reached": dict.fromkeys(row["reached"], 1)} for row in runlog.read(out)]
    assert all(line.endswith("| 3 |") for line in joining_table(rows).splitlines()[2:])

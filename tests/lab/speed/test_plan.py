"""Sizes are those of the numbers we hold; pools hold what a whole run would have published."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from atoll.evo.config import all_settings, island_config
from atoll.evo.paths import SharedPaths
from atoll.migration.observe.verify import verify
from atoll.scripts.commands.evolve import evolve
from atoll.scripts.commands.group import cli
from atoll.scripts.commands.options import pairs
from atoll.scripts.lab.speed import generation as stages
from atoll.scripts.lab.speed.plan import QUICK, Plan, forget, populate

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("plan", [Plan(), Plan(topology="ring"), QUICK])
@pytest.mark.parametrize("values", [{}, {"topology": "none", "checkpoint_every": 7}])
def test_the_command_line_of_an_island_says_what_its_settings_say(plan: Plan, values: dict, tmp_path: Path) -> None:
    name, island, *arguments = plan.arguments("a", tmp_path, **values)
    parent = cli.make_context("cli.py", [], resilient_parsing=True)  # else the command keeps other names of --help
    context = evolve.make_context(name, [island, *arguments], parent=parent)
    flags = {flag: value for flag, value in context.params.items() if value is not None}
    given = {flag: value for flag, value in flags.items() if flag in all_settings()}
    assert island_config("a", given, pairs(flags["options"])) == plan.config("a", **values)
    assert flags["root"] == tmp_path


def test_every_size_that_decides_a_figure_is_in_every_row() -> None:
    settings = Plan().settings()
    assert settings.items() >= {"population": 250, "generations": 150, "migrate_every": 10, "topology": "full"}.items()
    assert settings.items() >= {"courses": 1, "life_s": 30.0, "controller": "neural"}.items()


def test_the_usual_plan_measures_what_the_numbers_speak_of() -> None:
    plan = Plan()
    assert plan.rounds >= 10
    assert {16, 250} <= set(plan.populations)
    assert 250 in plan.reference_populations
    assert {20, 1000} <= set(plan.pools)
    assert plan.archipelago == 20


@pytest.fixture
def pool(tmp_path: Path) -> Path:
    populate(tmp_path, QUICK, peers=3)
    return tmp_path


def test_every_peer_has_published_at_every_migration_and_all_of_it_is_in_order(pool: Path) -> None:
    found = verify(SharedPaths(pool))
    batches = 3 * QUICK.generations // QUICK.migrate_every
    assert found.is_clean
    assert found.counts.items() >= {"islands": 3, "batches": batches, "genomes": 5 * batches, "starts": 3}.items()


def test_an_island_finds_them_and_leaves_the_pool_as_it_was(pool: Path) -> None:
    before = names(pool)
    stages.run_timed(QUICK.config(stages.ISLAND), pool)
    assert names(pool) == before


def test_only_the_island_that_is_named_is_forgotten(pool: Path) -> None:
    before = names(pool)
    forget(pool, "peer-0002")
    assert {name.split("/")[1] for name in before - names(pool)} == {"peer-0002"}


def names(root: Path) -> set[str]:
    """Return all that is there, but for lock files, which nobody deletes."""
    return {str(path.relative_to(root)) for path in root.rglob("*/*") if path.parent.name != "locks"}

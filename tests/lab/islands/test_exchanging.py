"""Ways to exchange are held against each other seed by seed, for equal budgets, and the table is made of rows alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from atoll.evo import runlog, strict_json
from atoll.scripts.lab.islands import budgeted, exchanging
from atoll.scripts.lab.islands.exchanging import GENERATIONS, POPULATION, VARIANTS

if TYPE_CHECKING:
    from pathlib import Path


def row(arm: str, seed: int, unseen: float) -> dict[str, object]:
    """Return a row as far as the table reads it."""
    return {"arm": arm, "seed": seed, "best": [0.0, 9.0], "unseen_fitness": unseen, "origins": 2.0, "f_st": 0.5}


@pytest.mark.parametrize("islands", [2, exchanging.ISLANDS, 20])
def test_all_variants_have_as_many_individuals_and_the_same_budget(islands: int) -> None:
    """Only who is to be small is smaller; nobody overspends, and nobody leaves a generation of all unspent."""
    budget = islands * POPULATION * GENERATIONS
    for arm in (exchanging.scaled(arm, islands) for arm in VARIANTS):
        assert arm.islands * arm.population == POPULATION * (1 if arm.name == "one small" else islands)
        plan = budgeted.plan(arm, seed=1, budget=budget)
        spent = sum(config.population * (config.generations + 1) for config in plan)
        immigrants = sum(
            0
            if config.migration.is_off
            else config.generations // config.migration.migrate_every * config.migration.migrants
            for config in plan
        )
        assert budget - arm.islands * arm.population < spent + immigrants <= budget


def test_a_difference_is_that_of_equal_seeds_in_whatever_order_they_come() -> None:
    first = [row("full", seed, 100.0 * seed) for seed in (1, 2, 3)]
    better = [row("ring", seed, 100.0 * seed + gain) for seed, gain in ((3, 9.0), (1, 2.0), (2, 4.0))]
    lines = exchanging.table([*first, *better]).splitlines()
    assert "+5 " in lines[-1]
    assert "+2 to +9" in lines[-1]
    assert "+" not in lines[-2]


@pytest.mark.slow
def test_rows_are_written_as_they_come_and_are_a_function_of_their_seed(tmp_path: Path) -> None:
    names = ["full, 5 every 10", "pooled"]
    for file in ("a.jsonl", "b.jsonl"):
        arguments = [*names, "--seeds", "1", "--generations", "12", "--workers", "1", "--out", str(tmp_path / file)]
        told = CliRunner().invoke(exchanging.main, arguments)
        assert told.exit_code == 0, told.output
    one, other = (
        [{**each, "measured": ""} for each in runlog.read(tmp_path / file)] for file in ("a.jsonl", "b.jsonl")
    )
    assert [each["arm"] for each in one] == names
    kept = [key for key in one[0] if key in {"best", "evaluations", "unseen_fitness", "f_st", "origins", "seed"}]
    assert len(kept) == 6
    for first, second in zip(one, other, strict=True):
        assert [strict_json.encode({"": first[key]}) for key in kept] == [
            strict_json.encode({"": second[key]}) for key in kept
        ]
    again = CliRunner().invoke(exchanging.main, ["--table", str(tmp_path / "b.jsonl")])
    assert again.output in told.output


def test_a_variant_that_is_none_is_refused_with_those_there_are(tmp_path: Path) -> None:
    told = CliRunner().invoke(exchanging.main, ["rings", "--out", str(tmp_path / "rows.jsonl")])
    assert told.exit_code == 2
    assert "ring, 1 every 10" in told.output
    assert not (tmp_path / "rows.jsonl").exists()


@pytest.mark.parametrize("option", ["--seeds=0", "--workers=0", "--islands=1", "--generations=1"])
def test_a_number_that_leaves_nothing_to_compare_is_refused(tmp_path: Path, option: str) -> None:
    told = CliRunner().invoke(exchanging.main, [option, "--out", str(tmp_path / "rows.jsonl")])
    assert told.exit_code == 2
    assert option.partition("=")[0] in told.output
    assert not (tmp_path / "rows.jsonl").exists()

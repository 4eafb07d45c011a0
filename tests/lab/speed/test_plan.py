from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from atoll.evo.config import island_config
from atoll.scripts.commands.evolve import evolve
from atoll.scripts.commands.options import pairs
from atoll.scripts.lab.speed.plan import QUICK, Plan

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("plan", [Plan(), QUICK])
@pytest.mark.parametrize("values", [{}, {"topology": "none", "checkpoint_every": 7}])
def test_the_command_line_of_an_island_says_what_its_settings_say(plan: Plan, values: dict, tmp_path: Path) -> None:
    name, island, *arguments = plan.arguments("a", tmp_path, **values)
    context = evolve.make_context(name, [island, *arguments])
    flags = {flag: value for flag, value in context.params.items() if value is not None}
    given = {flag: value for flag, value in flags.items() if flag in plan.config("a").settings()}
    assert island_config("a", given, pairs(flags["options"])) == plan.config("a", **values)
    assert flags["root"] == tmp_path


def test_every_size_that_decides_a_figure_is_in_every_row() -> None:
    settings = Plan().settings()
    assert settings.items() >= {"population": 250, "generations": 150, "migrate_every": 10, "courses": 1}.items()
    assert settings.items() >= {"life_s": 30.0, "controller": "neural"}.items()


def test_the_usual_plan_measures_what_the_numbers_speak_of() -> None:
    plan = Plan()
    assert plan.rounds >= 10
    assert {16, 250} <= set(plan.populations)
    assert 250 in plan.reference_populations
    assert {20, 1000} <= set(plan.pools)
    assert plan.archipelago == 20

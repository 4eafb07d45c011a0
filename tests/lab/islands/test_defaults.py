from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from atoll.evo.tasks.creatures.task import CreatureOptions, Creatures
from atoll.scripts.lab.islands import defaults

if TYPE_CHECKING:
    from pathlib import Path


def run(*arguments: str) -> tuple[int, str]:
    ended = CliRunner().invoke(defaults.main, list(arguments))
    return ended.exit_code, ended.output


@pytest.mark.slow
def test_every_variant_is_a_row_and_the_table_is_derived_from_rows_alone(tmp_path: Path) -> None:
    out = tmp_path / "rows.jsonl"
    sizes = ["--population", "6", "--generations", "2", "--seeds", "2", "--out", str(out)]
    code, printed = run("defaults", "tournament 3", *sizes)
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert code == 0
    assert [(row["variant"], row["seed"]) for row in rows] == [
        ("defaults", 0), ("tournament 3", 0), ("defaults", 1), ("tournament 3", 1),
    ]  # fmt: skip
    assert [row["tournament_size"] for row in rows] == [5, 3, 5, 3]
    _, again = run("--table", str(out))
    assert printed.endswith(again)
    assert again.count("\n| ") == 3


def test_a_table_gives_the_quartiles_over_the_seeds() -> None:
    row = dict.fromkeys(("unseen_pellets", "max_node_m_s", "max_stretch", "airborne_share", "retained_share"), 1.0)
    rows = [{"variant": "v", "evolved": n, "is_sound": n > 1, **row} for n in (1.0, 2.0, 3.0, 4.0, 5.0)]
    last = defaults.table(rows).splitlines()[-1]
    assert last.startswith("| v | 5 | 3 (2 to 4) | 1 (1 to 1) |")
    assert last.endswith("| 4/5 |")


def test_a_variant_that_is_not_known_is_refused_with_those_that_are() -> None:
    code, output = run("tournament 4")
    assert code == 2
    assert "no variant is called tournament 4" in output
    assert "tournament 8" in output


@pytest.mark.parametrize("name", defaults.VARIANTS)
def test_every_variant_but_the_defaults_departs_from_them(name: str) -> None:
    variant, default = defaults.VARIANTS[name], defaults.VARIANTS["defaults"]
    assert (variant == default) == (name == "defaults")
    courses = CreatureOptions(courses=variant.courses)
    Creatures(courses, backend="reference", world=variant.world, ranges=variant.ranges)

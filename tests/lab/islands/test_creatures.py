"""Islands alone and champions are audited; every figure is a row, and tables are made of rows alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from atoll.evo.paths import SharedPaths
from atoll.evo.tasks.creatures.task import CreatureOptions, Creatures
from atoll.scripts.commands import group as cli
from atoll.scripts.lab.islands import creatures as studies
from atoll.scripts.lab.islands.creatures import VARIANTS, champions, defaults, evolvability, load, variants_table

if TYPE_CHECKING:
    from pathlib import Path


def run(*arguments: str) -> tuple[int, str]:
    ended = CliRunner().invoke(defaults, list(arguments))
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
    last = variants_table(rows).splitlines()[-1]
    assert last.startswith("| v | 5 | 3 (2 to 4) | 1 (1 to 1) |")
    assert last.endswith("| 4/5 |")


def test_a_variant_that_is_not_known_is_refused_with_those_that_are() -> None:
    code, output = run("tournament 4")
    assert code == 2
    assert "no variant is called tournament 4" in output
    assert "tournament 8" in output


@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_but_the_defaults_departs_from_them(name: str) -> None:
    variant, default = VARIANTS[name], VARIANTS["defaults"]
    assert (variant == default) == (name == "defaults")
    courses = CreatureOptions(courses=variant.courses)
    Creatures(courses, backend="reference", world=variant.world, ranges=variant.ranges)


@pytest.mark.slow
def test_evolution_and_random_search_get_equal_evaluations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scored: list[int] = []
    evaluate = studies.Creatures.evaluate

    def counting(creatures, genes, episode):
        scored.append(len(genes))
        return evaluate(creatures, genes, episode)

    monkeypatch.setattr(studies.Creatures, "evaluate", counting)
    out = tmp_path / "rows.jsonl"
    arguments = ["--population", "6", "--generations", "3", "--seeds", "1", "--courses", "1", "--out"]
    ended = CliRunner().invoke(evolvability, [*arguments, str(out)], catch_exceptions=False)
    [row] = [json.loads(line) for line in out.read_text().splitlines()]
    assert row["evaluations"] == 6 * 4
    assert sum(scored[-4:]) == row["evaluations"]
    assert sum(scored[:4]) <= row["evaluations"], "evolution asks about no genome twice"
    assert row["margin"] == row["evolved"] - row["random"]
    assert row["evolved"] >= row["best_at_0"]
    assert "unseen courses" in ended.output


SMALL = ["-p", "6", "-g", "2", "--migrants", "1", "--migration-dir"]


def evolve(root: Path, *more: str) -> None:
    ended = CliRunner().invoke(cli.cli, ["evolve", "a", *SMALL, str(root), *more])
    assert ended.exit_code == 0, ended.output


@pytest.mark.slow
def test_every_champion_is_audited_and_drawn(tmp_path: Path) -> None:
    root, out = tmp_path / "shared", tmp_path / "rows.jsonl"
    evolve(root, "-o", "courses=1", "-o", "life_s=3")
    arguments = [str(root), "--pictures", str(tmp_path / "pictures"), "--out", str(out)]
    ended = CliRunner().invoke(champions, arguments, catch_exceptions=False)
    [row] = [json.loads(line) for line in out.read_text().splitlines()]
    creatures, genome, fitness = load(SharedPaths(root).island("a").champion)
    assert row["island"] == "a"
    assert row["fitness"] == fitness == creatures.evaluate(genome[None], 0)[0] == row["trained_fitness"]
    assert (tmp_path / "pictures" / "a.png").read_bytes().startswith(b"\x89PNG")
    assert "sound: " in ended.output


@pytest.mark.slow
def test_champions_of_another_task_are_refused_by_name(tmp_path: Path) -> None:
    evolve(tmp_path, "--task", "sphere")
    ended = CliRunner().invoke(champions, [str(tmp_path), "--out", str(tmp_path / "rows.jsonl")])
    assert ended.exit_code == 1
    assert (
        "a has no champion of creatures to audit: expected a champion of creatures, got one of sphere" in ended.output
    )


def test_a_directory_without_islands_says_what_to_name(tmp_path: Path) -> None:
    ended = CliRunner().invoke(champions, [str(tmp_path), "--out", str(tmp_path / "rows.jsonl")])
    assert ended.exit_code == 1
    assert "name the directory that --migration-dir named" in ended.output

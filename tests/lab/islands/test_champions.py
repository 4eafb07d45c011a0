"""The champions that a real island left are audited, and drawn."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from atoll.evo.paths import SharedPaths
from atoll.scripts.commands import group as cli
from atoll.scripts.lab.islands import champions

if TYPE_CHECKING:
    from pathlib import Path

SMALL = ["-p", "6", "-g", "2", "--migrants", "1", "--migration-dir"]


def evolve(root: Path, *more: str) -> None:
    ended = CliRunner().invoke(cli.cli, ["evolve", "a", *SMALL, str(root), *more])
    assert ended.exit_code == 0, ended.output


@pytest.mark.slow
def test_every_champion_is_audited_and_drawn(tmp_path: Path) -> None:
    root, out = tmp_path / "shared", tmp_path / "rows.jsonl"
    evolve(root, "-o", "courses=1", "-o", "life_s=3")
    arguments = [str(root), "--pictures", str(tmp_path / "pictures"), "--out", str(out)]
    ended = CliRunner().invoke(champions.main, arguments, catch_exceptions=False)
    [row] = [json.loads(line) for line in out.read_text().splitlines()]
    creatures, genome, fitness = champions.load(SharedPaths(root).island("a").champion)
    assert row["island"] == "a"
    assert row["fitness"] == fitness == creatures.evaluate(genome[None], 0)[0] == row["trained_fitness"]
    assert (tmp_path / "pictures" / "a.png").read_bytes().startswith(b"\x89PNG")
    assert "sound: " in ended.output


@pytest.mark.slow
def test_champions_of_another_task_are_refused_by_name(tmp_path: Path) -> None:
    evolve(tmp_path, "--task", "sphere")
    ended = CliRunner().invoke(champions.main, [str(tmp_path), "--out", str(tmp_path / "rows.jsonl")])
    assert ended.exit_code == 1
    assert (
        "a has no champion of creatures to audit: expected a champion of creatures, got one of sphere" in ended.output
    )


def test_a_directory_without_islands_says_what_to_name(tmp_path: Path) -> None:
    ended = CliRunner().invoke(champions.main, [str(tmp_path), "--out", str(tmp_path / "rows.jsonl")])
    assert ended.exit_code == 1
    assert "name the directory that --migration-dir named" in ended.output

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from atoll.scripts.lab.islands import evolvability

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.slow
def test_evolution_and_random_search_get_equal_evaluations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scored: list[int] = []
    score = evolvability.generation.score

    def counting(task, population, *, generation):
        scored.append(len(population))
        return score(task, population, generation=generation)

    monkeypatch.setattr(evolvability.generation, "score", counting)
    out = tmp_path / "rows.jsonl"
    arguments = ["--population", "6", "--generations", "3", "--seeds", "1", "--courses", "1", "--out"]
    ended = CliRunner().invoke(evolvability.main, [*arguments, str(out)], catch_exceptions=False)
    [row] = [json.loads(line) for line in out.read_text().splitlines()]
    assert row["evaluations"] == 6 * 4
    assert sum(scored) == 2 * row["evaluations"]
    assert row["margin"] == row["evolved"] - row["random"]
    assert row["evolved"] >= row["best_at_0"]
    assert "unseen courses" in ended.output

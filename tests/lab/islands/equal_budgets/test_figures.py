"""Every figure is drawn as SVG and PNG, the same from the same rows, and not where nothing was measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from atoll.scripts.lab.islands.equal_budgets import figures
from atoll.scripts.lab.islands.equal_budgets.findings import found
from atoll.scripts.lab.islands.equal_budgets.plan import FAMILIES
from tests.lab.islands.equal_budgets.made import TINY, rows_of

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.slow
def test_every_figure_is_there_twice_and_names_what_it_shows(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
        findings = [found(each, rows_of(each, gain=3.0)) for each in TINY]
        files = figures.draw(findings, tmp_path / name)
        assert set(files) == set(figures.PAINTERS)
    for file in files.values():
        assert file.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
        assert file.read_bytes() == (tmp_path / "a" / file.name).read_bytes()
    ratios = files["ratios"].read_text()
    assert all(problem.name in ratios for problem in TINY)
    assert all(name in files["reached"].read_text() for name in FAMILIES)
    assert "∞" in files["rates"].read_text()
    assert "unseen fitness" in files["creatures"].read_text()


@pytest.mark.slow
def test_what_was_not_measured_is_not_drawn(tmp_path: Path) -> None:
    creatures = TINY[-1]
    files = figures.draw([found(creatures, rows_of(creatures))], tmp_path)
    assert "rates" not in files
    trap = TINY[0]
    assert "creatures" not in figures.draw([found(trap, rows_of(trap))], tmp_path)

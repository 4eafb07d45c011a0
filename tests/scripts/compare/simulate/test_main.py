from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from scripts.compare import rows
from scripts.compare.simulate.__main__ import main
from tests.scripts.compare import synthetic
from tests.scripts.compare.report.test_page import SIMULATED

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.slow
def test_the_whole_simulation_is_labelled_and_writes_its_tables_alone(tmp_path: Path) -> None:
    for row in synthetic.table(4):
        rows.append(tmp_path / "runs.jsonl", row)
    tables = tmp_path / "tables"
    tables.mkdir()
    (tables / "verdicts.md").write_text("kept\n")
    arguments = ["--out", str(tmp_path), "--tables", str(tables), "--draws", "2"]
    done = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert done.exit_code == 0
    titles = [line for line in done.stdout.splitlines() if line.startswith("**")]
    assert titles
    assert all("imulat" in title for title in titles)
    files = {file.stem: file.read_text() for file in tables.iterdir()}
    assert set(files) == {"verdicts", *(f"simulated-{name}" for name in SIMULATED)}
    assert files["verdicts"] == "kept\n"
    assert not any("Not yet measured" in text for text in files.values())
    drawn = list((tmp_path / "plots").glob("*.svg"))
    assert len(drawn) == 4
    assert all("SIMULATED" in file.read_text() and file.with_suffix(".png").exists() for file in drawn)

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from atoll.scripts.lab.parallel import rows
from atoll.scripts.lab.parallel.simulate.__main__ import main
from tests.lab.parallel import synthetic
from tests.lab.parallel.report.test_page import SIMULATED

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.slow
def test_the_whole_simulation_is_labelled_and_fills_its_blocks_alone(tmp_path: Path) -> None:
    for row in synthetic.table(4):
        rows.append(tmp_path / "runs.jsonl", row)
    document = tmp_path / "RESULTS.md"
    marks = "".join(f"<!-- generated: simulated-{name} -->\n<!-- end: simulated-{name} -->\n" for name in SIMULATED)
    document.write_text(f"<!-- generated: verdicts -->\nkept\n<!-- end: verdicts -->\n{marks}")
    arguments = ["--out", str(tmp_path), "--document", str(document), "--draws", "2"]
    done = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert done.exit_code == 0
    titles = [line for line in done.stdout.splitlines() if line.startswith("**")]
    assert titles
    assert all("imulat" in title for title in titles)
    filled = document.read_text()
    assert "kept" in filled
    assert "Not yet measured" not in filled
    drawn = list((tmp_path / "plots").glob("*.svg"))
    assert len(drawn) == 4
    assert all("SIMULATED" in file.read_text() and file.with_suffix(".png").exists() for file in drawn)

"""A run lived again is the run, and is refused where it would not be."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from atoll.evo import runlog
from atoll.evo.paths import SharedPaths
from atoll.migration.observe import snapshot
from atoll.migration.pool import identity as pool
from atoll.migration.pool.access import spec_of
from atoll.scripts.lab.islands import relive
from tests.lab import door
from tests.scripts.run.island_process import Job, perform

if TYPE_CHECKING:
    from pathlib import Path

VALUES = {"population": 12, "generations": 14, "migrate_every": 5, "checkpoint_every": 7, "task": "sphere"}
"""The last generation is one of a checkpoint but of no migration: what it holds is the whole population as it ended."""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("relive") / "shared"
    assert [perform(Job(root, name, VALUES)) for name in "ab"] == [0, 0]
    return root


@pytest.fixture
def copy(lived: Path, tmp_path: Path) -> Path:
    return shutil.copytree(lived, tmp_path / "copy")


def again(root: Path, out: Path, *more: str) -> tuple[int, str]:
    return door.call("relive", "run", root, "--out", out, *more)


def test_populations_are_those_of_the_checkpoints_and_begin_unrelated(lived: Path) -> None:
    shared = SharedPaths(lived)
    rows = list(relive.relive(shared, every=7, workers=2))
    identity = pool.read(shared)
    assert identity is not None
    spec = spec_of(identity.task)
    assert [row["generation"] for row in rows] == [0, 7, 14]
    assert rows[-1]["f_st"] == snapshot.f_st(snapshot.take(shared, ["a", "b"]), spec)
    assert abs(rows[0]["f_st"]) < 0.1, "founders are samples of one distribution"
    assert rows[0]["origins"] == pytest.approx(2.0)
    assert rows[-1]["origins"] < 2.0


def test_rows_are_kept_and_drawn_as_the_same_figure(lived: Path, tmp_path: Path) -> None:
    out = tmp_path / "rows.jsonl"
    code, said = again(lived, out, "--label", "two spheres", "--every", "5")
    assert code == 0, said
    assert [row["generation"] for row in runlog.read(out)] == [0, 5, 10]
    for name in ("one.svg", "two.svg"):
        drawn = CliRunner().invoke(relive.main, ["plot", str(out), "-o", str(tmp_path / name)])
        assert drawn.exit_code == 0, drawn.output
    text = (tmp_path / "one.svg").read_text()
    assert text == (tmp_path / "two.svg").read_text()
    assert "two spheres" in text


@pytest.mark.parametrize("field", ["best", "ancestry"])
def test_a_log_that_says_otherwise_is_told(copy: Path, tmp_path: Path, field: str) -> None:
    log = SharedPaths(copy).island("b").log
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    lines[1 + 8][field] = 0.0 if field == "best" else {"b": 1.0}
    log.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    code, said = again(copy, tmp_path / "rows.jsonl")
    assert code == 11
    assert "error: b lived again differs from its log at generation 8" in said
    assert not (tmp_path / "rows.jsonl").exists()


def test_without_its_imports_an_island_cannot_be_lived_again(copy: Path, tmp_path: Path) -> None:
    SharedPaths(copy).island("b").inbox(10).unlink()
    code, said = again(copy, tmp_path / "rows.jsonl")
    assert code == 9
    assert "generation 10" in said


@pytest.mark.parametrize(("place", "code"), [("no/where", 7), ("", 2)])
def test_a_place_without_a_run_is_refused_in_one_line(tmp_path: Path, place: str, code: int) -> None:
    ended, said = again(tmp_path / place, tmp_path / "rows.jsonl")
    assert ended == code
    assert said.startswith("error: ")


def test_no_rows_are_no_figure(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").touch()
    code, said = door.call("relive", "plot", tmp_path / "rows.jsonl", "-o", tmp_path / "x.png")
    assert code == 2
    assert "no rows to draw" in said

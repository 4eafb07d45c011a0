from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from atoll.evo.genome import GenomeSpec, Segment
from atoll.evo.paths import SharedPaths
from atoll.scripts.commands.data import FORMATS, TABLES
from atoll.scripts.report.best import tell_of_best
from atoll.scripts.report.champion import read as read_champion
from atoll.scripts.report.frames import COLUMNS, gene_names, read
from tests.processes import atoll
from tests.scripts.report.conftest import NAMES

if TYPE_CHECKING:
    from pathlib import Path


def exported(root: Path, what: str, out: Path) -> pd.DataFrame:
    done = atoll("export", str(root), "--what", what, "-o", str(out))
    assert done.returncode == 0, done.stderr
    readers = {".csv": pd.read_csv, ".parquet": pd.read_parquet, ".jsonl": lambda path: pd.read_json(path, lines=True)}
    return readers[out.suffix](out)


@pytest.mark.slow
@pytest.mark.parametrize("what", TABLES)
def test_every_format_reads_back_as_the_same_table(archipelago: Path, tmp_path: Path, what: str) -> None:
    csv, parquet = (exported(archipelago, what, tmp_path / f"a.{kind}") for kind in ("csv", "parquet"))
    jsonl = [
        json.loads(line)
        for line in atoll("export", str(archipelago), "--what", what, "--format", "jsonl").stdout.splitlines()
    ]
    assert len(csv) > 0
    pd.testing.assert_frame_equal(csv, parquet, check_dtype=False)
    assert [tuple(row) for row in jsonl] == [tuple(parquet.columns)] * len(jsonl)
    pd.testing.assert_frame_equal(pd.DataFrame(jsonl), parquet, check_dtype=False)
    if what != "genomes":
        assert list(parquet.columns) == [column.name for column in COLUMNS[what]]


@pytest.mark.slow
def test_a_generation_has_one_row_however_often_its_island_was_killed(archipelago: Path, tmp_path: Path) -> None:
    frame = exported(archipelago, "generations", tmp_path / "g.csv")
    assert sorted(set(frame["island"])) == [*NAMES]
    for _, rows in frame.groupby("island"):
        assert rows["generation"].tolist() == list(range(len(rows)))
        assert rows["evaluations"].is_monotonic_increasing


@pytest.mark.slow
def test_the_genomes_are_those_of_the_newest_checkpoint(archipelago: Path, tmp_path: Path) -> None:
    frame = exported(archipelago, "genomes", tmp_path / "g.parquet")
    generations = exported(archipelago, "generations", tmp_path / "a.csv")
    for island, rows in frame.groupby("island"):
        n = rows["generation"].iloc[0]
        logged = generations[(generations["island"] == island) & (generations["generation"] == n)].iloc[0]
        assert len(rows) == logged["population"]
        assert rows["individual"].tolist() == list(range(len(rows)))


@pytest.mark.slow
def test_what_is_damaged_is_named_and_the_rest_exported(tmp_path: Path) -> None:
    root = tmp_path / "pool"
    done = atoll("evolve", "a", "-p", "4", "-g", "3", "--task", "sphere", "--migration-dir", str(root))
    assert done.returncode == 0, done.stderr
    log = SharedPaths(root).island("a").log
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join([*lines[:2], b"{torn\n", *lines[3:]]))
    shared, notes = SharedPaths(root), []
    rows = [row[1] for row in read("generations", shared, note=notes.append).rows]
    assert rows == [0, 2, 3]
    assert notes == ["a: 1 lines of its log and ledger cannot be read, and are left out"]
    checkpoints = shared.island("a").checkpoints
    for path in checkpoints.iterdir():
        path.write_bytes(b"not a checkpoint")
    assert list(read("genomes", shared, note=notes.append).rows) == []
    assert "the population of a: no checkpoint is intact" in notes[-1]


@pytest.mark.slow
def test_the_best_is_the_highest_of_all_champions_and_scores_the_same_again(archipelago: Path) -> None:
    shared = SharedPaths(archipelago)
    told = tell_of_best(shared, task=None)
    fitness = {name: read_champion(shared.island(name).champion).fitness for name in NAMES}
    assert told["fitness"] == told["simulated"] == max(fitness.values())
    found: dict[str, object] = {}
    exec(told["load"], found)  # noqa: S102 - the lines that we tell a user to type
    assert found["genes"].tolist() == read_champion(shared.island(told["island"]).champion).genome.tolist()


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("export", "there-is-none/run"), 7, "there-is-none"),
        (("export", "{root}", "--format", "parquet"), 2, "needs a file"),
        (("export", "{root}", "-o", "{root}/none/a.csv"), 7, "a.csv"),
        (("export", "{root}", "--what", "genomes"), 3, "POOL.json"),
        (("best", "{root}"), 2, "no island in"),
    ],
)
def test_bad_input_gets_one_line(tmp_path: Path, arguments: tuple[str, ...], code: int, says: str) -> None:
    done = atoll(*(each.format(root=tmp_path) for each in arguments))
    assert done.returncode == code, done.stderr
    assert says in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_command_names_the_tables_that_there_are() -> None:
    assert tuple(COLUMNS) == TABLES
    assert FORMATS == ("csv", "jsonl", "parquet")


def test_genes_are_named_by_their_segments() -> None:
    assert gene_names(GenomeSpec((Segment("a", 1), Segment("b", 2)))) == ["a", "b.0", "b.1"]

"""The commands that look after a pool, as a user meets them."""

from __future__ import annotations

import csv
import json
import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.processes import ROOT, atoll, called, check_refused, wait_until

if TYPE_CHECKING:
    from pathlib import Path

GENETIC = ("--algorithm", "ga", "--duplicates", "accept", "--mutation-rate", "0.01")
QUICK = ("-p", "20", "-g", "20", "--task", "sphere", "--migrate-every", "4", *GENETIC)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two finished islands, the second of which found a damaged batch."""
    root = tmp_path_factory.mktemp("pool") / "shared"
    assert atoll("evolve", "island-01", *QUICK, "--migration-dir", root).returncode == 0
    with (root / "migration_pool/island-01/gen-20/genomes.safetensors").open("ab") as file:
        file.write(b"x")
    assert atoll("evolve", "island-02", *QUICK, "--migration-dir", root).returncode == 0
    return root


@pytest.fixture
def root(template: Path, tmp_path: Path) -> Path:
    """The same two islands, to do anything to."""
    return shutil.copytree(template, tmp_path / "shared")


def told(root: Path, *arguments: str, code: int = 0) -> Any:
    ended = called("pool", *arguments, "--json", "--migration-dir", root)
    assert ended.returncode == code, ended.stderr
    return json.loads(ended.stdout)


def text(root: Path, *arguments: str, code: int = 0) -> list[str]:
    ended = called("pool", *arguments, "--migration-dir", root)
    assert ended.returncode == code, ended.stderr
    return ended.stdout.splitlines()


@pytest.mark.slow
def test_verify_names_each_defect_with_its_file_and_byte(root: Path) -> None:
    (root / "migration_pool/esc\x1b[31m").touch()
    genomes = root / "migration_pool/island-01/gen-20/genomes.safetensors"
    found = told(root, "verify", code=9)
    assert (found["defects"][1]["path"], found["defects"][1]["byte"]) == (str(genomes), genomes.stat().st_size - 1)
    assert found["counts"]["batches"] == 9
    lines = text(root, "verify", code=9)
    assert lines[0].endswith("esc?[31m: does not belong here")
    assert lines[1].startswith(f"{genomes}, byte {genomes.stat().st_size - 1}: too large")
    assert lines[-1].startswith("in order: 2 islands, 9 batches, 45 genomes, 2 starts, 32 private files; 0 leftovers")


@pytest.mark.slow
def test_verify_stops_in_time_and_says_so(root: Path) -> None:
    assert told(root, "verify", "--limit-s", "0", code=9)["left_out"] == ["the rest: 0 s were over"]
    assert "not read: the rest: 0 s were over" in text(root, "verify", "--limit-s", "0", code=9)


@pytest.mark.slow
def test_the_ledger_tells_who_gave_what_to_whom_and_who_was_refused(root: Path) -> None:
    flow = told(root, "ledger")
    [passage] = flow["passages"]
    assert (passage["giver"], passage["taker"], passage["genomes"]) == ("island-01", "island-02", 25)
    assert flow["refusals"] == [{"giver": "island-01", "taker": "island-02", "reason": "too large", "times": 5}]
    lines = [line.split() for line in text(root, "ledger")]
    assert lines[0] == ["giver", "1", "2", "published", "taken", "distinct", "repeated", "led", "equal", "refused"]
    sums = [str(passage[name]) for name in ("genomes", "distinct", "repeated", "led", "equal")]
    assert lines[1] == ["1", "island-01", "-", "25", "25", *sums, "5"]
    assert lines[2] == ["2", "island-02", "-", "-", "25", *("0" * 6)]
    assert " ".join(lines[3]) == "island-02 refused island-01 5 times: too large"


@pytest.mark.slow
def test_events_are_listed_for_all_or_for_the_named(root: Path) -> None:
    lines = text(root, "ledger", "--events", "island-02")
    assert len(lines) == 1 + 5 * (1 + 5 + 1)
    assert lines[1].startswith("island-02  gen 4  published 5 genomes, best")
    assert "refused island-01 gen 20, too large: genomes.safetensors has" in lines[2]
    assert "imported island-01:16:" in lines[3]
    ended = called("pool", "ledger", "--events", "--json", "--migration-dir", root)
    assert {json.loads(line)["island"] for line in ended.stdout.splitlines()} == {"island-01", "island-02"}


@pytest.mark.slow
def test_status_tells_the_reasons_of_refusals_in_json(root: Path) -> None:
    rows = json.loads(called("status", "--json", "--migration-dir", root).stdout)["islands"]
    assert [(row["refused"], row["refusals"]) for row in rows] == [(0, {}), (5, {"too large": 5})]


@pytest.mark.slow
def test_owners_tells_who_runs_and_who_has_ended(root: Path) -> None:
    command = [sys.executable, "cli.py", "evolve", "long", *QUICK, "-g", "100000000", "--migration-dir", str(root)]
    island = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        wait_until((root / "islands/long/log.jsonl").exists, "the island's start")
        owners = told(root, "owners")["owners"]
        assert [(owner["island"], owner["state"]) for owner in owners] == [
            ("island-01", "ended"),
            ("island-02", "ended"),
            ("long", "running"),
        ]
        assert owners[2]["pid"] == island.pid
        assert owners[2]["lock_class"] == "flock"
        assert text(root, "owners")[3].split()[:2] == ["long", "running"]
        left = told(root, "prune", "--keep", "3", code=4)["islands"]
        assert [(row["island"], row["removed"]) for row in left] == [
            ("island-01", [8, 4]),
            ("island-02", [8, 4]),
            ("long", []),
        ]
        assert f"it is run by process {island.pid}" in left[2]["left_alone"]
    finally:
        island.send_signal(signal.SIGKILL)
        island.wait()
    assert told(root, "owners")["owners"][2]["state"] == "ended"


@pytest.mark.slow
def test_prune_removes_what_a_dry_run_said(root: Path) -> None:
    line = "island-01: would remove 2 publications, 3 left"
    assert text(root, "prune", "island-01", "--keep", "3", "--dry-run") == [line]
    assert text(root, "prune", "island-01", "--keep", "3") == ["island-01: removed 2 publications, 3 left"]
    assert text(root, "prune", "island-01", "--keep", "3") == ["island-01: removed 0 publications, 3 left"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("prune",), ["Missing option '--keep'"]),
        (("prune", "--keep", "2"), ["2 is not in the range x>=3"]),
        (("prune", "nobody", "--keep", "3"), ["there is no island nobody"]),
        (("ledger", "nobody"), ["there is no island nobody"]),
        (("ledger", "../x"), ["island name '../x'"]),
        (("flow", "nobody"), ["there is no island nobody"]),
        (("flow", "--csv", "all"), ["'all' is not one of 'shares', 'intervals', 'migrants', 'differentiation'"]),
    ],
)
def test_a_wrong_wish_is_refused_in_one_line(arguments: tuple[str, ...], words: list[str], root: Path) -> None:
    check_refused(called("pool", *arguments, "--migration-dir", root), 2, *words)


@pytest.mark.slow
@pytest.mark.parametrize("command", [("verify",), ("prune", "--keep", "3"), ("owners",), ("flow",)])
def test_a_directory_without_a_pool_is_refused_in_one_line(command: tuple[str, ...], tmp_path: Path) -> None:
    check_refused(called("pool", *command, "--migration-dir", tmp_path), 3, "no island has used this directory")


@pytest.mark.slow
def test_a_ledger_of_nobody_is_empty(tmp_path: Path) -> None:
    assert text(tmp_path, "ledger") == [f"no islands in {tmp_path} yet"]
    assert told(tmp_path, "ledger")["islands"] == []


@pytest.mark.slow
def test_in_lockstep_nothing_is_pruned(tmp_path: Path) -> None:
    root = tmp_path / "shared"
    members = ("--mode", "lockstep", "--members", "a")
    assert atoll("evolve", "a", *QUICK, *members, "--migration-dir", root).returncode == 0
    check_refused(called("pool", "prune", "--keep", "3", "--migration-dir", root), 3, "in lockstep every publication")


# Where the genes come from


def table(root: Path, name: str) -> list[dict[str, str]]:
    ended = called("pool", "flow", "--csv", name, "--migration-dir", root)
    assert ended.returncode == 0, ended.stderr
    return list(csv.DictReader(ended.stdout.splitlines()))


@pytest.mark.slow
def test_flow_tells_whose_genes_each_island_has_and_what_became_of_the_migrants(root: Path) -> None:
    flow = told(root, "flow")
    rows = {row["island"]: row for row in flow["islands"]}
    assert rows["island-01"]["ancestry"] == {"island-01": 1.0}
    assert rows["island-01"]["effective"] == 1.0
    assert set(rows["island-02"]["ancestry"]) == {"island-01", "island-02"}
    assert sum(flow["all"]["ancestry"].values()) == pytest.approx(1.0)
    assert 1.0 < flow["all"]["effective"] <= 2.0
    assert flow["compared"] == {"island-01": 20, "island-02": 20}
    assert 0.0 < flow["f_st"] <= 1.0
    assert len(flow["migrants"]) == 25
    assert {(each["island"], each["source"]) for each in flow["migrants"]} == {("island-02", "island-01")}
    lines = text(root, "flow")
    assert lines[0].split() == [
        "island",
        "gen",
        "origins",
        "diversity",
        "taken",
        "distinct",
        "live",
        "largest",
        "shares",
    ]
    assert lines[1].split()[:4] == ["1", "island-01", "20", "1.00"]
    assert lines[1].endswith("  1 100%")
    assert lines[2].split()[5] == "25"
    assert lines[3].startswith("genes of 2 ancestors, as diverse as ")
    assert lines[4].startswith(f"F_ST between islands: {flow['f_st']:.3f}, of 2 checkpoints at generation 20")
    assert lines[5].startswith("migrants: 25 taken, ")
    n_distinct = len({each["genome"] for each in flow["migrants"]})
    assert lines[2].split()[6] == str(n_distinct)
    assert lines[6].startswith(f"of those taken {n_distinct} were distinct on their islands, ")
    assert max(map(len, lines)) <= 80
    assert len(text(root, "flow", "island-02")) == 7, "an ancestor of whom nothing else was asked has a row too"


@pytest.mark.slow
def test_flow_in_csv_has_each_generation_migration_and_migrant(root: Path) -> None:
    shares = table(root, "shares")
    assert {(row["island"], row["generation"]) for row in shares} == {
        (island, str(g)) for island in ("island-01", "island-02") for g in range(21)
    }
    intervals = table(root, "intervals")
    assert [(row["island"], row["generation"], row["taken"], row["rate"]) for row in intervals] == [
        (island, str(g), n, rate)
        for island, n, rate in (("island-01", "0", "0.0"), ("island-02", "5", "0.25"))
        for g in (4, 8, 12, 16, 20)
    ]
    migrants, told_migrants = table(root, "migrants"), told(root, "flow")["migrants"]
    assert [row["id"] for row in migrants] == [each["id"] for each in told_migrants]
    assert [json.loads(row["ancestry"]) for row in migrants] == [each["ancestry"] for each in told_migrants]
    apart = [(row["generation"], row["of"]) for row in table(root, "differentiation")]
    assert apart == [(str(g), "whole populations") for g in (4, 8, 10, 12, 16, 20)]


@pytest.mark.slow
def test_one_cannot_have_json_and_csv(root: Path) -> None:
    ended = called("pool", "flow", "--json", "--csv", "shares", "--migration-dir", root)
    check_refused(ended, 2, "--json and --csv exclude each other")


@pytest.mark.slow
def test_status_tells_from_how_many_islands_the_genes_come(root: Path) -> None:
    rows = json.loads(called("status", "--json", "--migration-dir", root).stdout)["islands"]
    flow = told(root, "flow")
    assert [row["origins"] for row in rows] == [row["effective"] for row in flow["islands"]]
    assert [row["ancestry"] for row in rows] == [row["ancestry"] for row in flow["islands"]]
    lines = called("status", "--migration-dir", root).stdout.splitlines()
    assert lines[-1] == text(root, "flow")[3]
    assert "origins" in lines[0].split()


IN_IT = [
    ("evolve", "b", *QUICK),
    ("status",),
    ("status", "--watch"),
    ("tail",),
    ("show", "island-01"),
    *(("pool", name) for name in ("verify", "ledger", "flow", "owners", "archive")),
    ("pool", "prune", "--keep", "3"),
    ("doctor",),
]


@pytest.mark.slow
def test_a_directory_inside_a_shared_one_is_refused_by_every_command(root: Path, tmp_path: Path) -> None:
    """One folder too deep, and nobody would hear of it: the meant one is named."""
    pool = root / "migration_pool"
    before = sorted(root.rglob("*"))
    for command in IN_IT:
        check_refused(called(*command, "--migration-dir", pool), 2, f"lies in the shared directory {root}; name that")
    for looking in (("report", pool), ("plot", "fitness", pool)):
        check_refused(called(*looking, "-o", tmp_path / "x.png"), 2, f"the shared directory {root}; name that")
    assert sorted(root.rglob("*")) == before


@pytest.mark.slow
def test_a_folder_that_is_no_island_s_does_not_cut_the_ring_and_is_told(root: Path) -> None:
    (root / "migration_pool" / "island-00").mkdir()
    ended = atoll("evolve", "island-01", *QUICK, "-g", "24", "--migration-dir", root)
    assert "from island-02 gen 20" in ended.stdout, ended.stderr
    shown = json.loads(called("status", "--json", "--migration-dir", root).stdout)["islands"]
    assert [row["name"] for row in shown] == ["island-01", "island-02"]
    assert f"{root}/migration_pool/island-00: no island has ever started here" in text(root, "verify", code=9)

"""What cannot fit into memory is told before anything is evaluated; what might is tried."""

from __future__ import annotations

import re
import resource
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING

import psutil
import pytest

from atoll.evo.config import island_config
from atoll.evo.errors import ConfigError, NoMemoryError
from atoll.evo.resources import needed_bytes
from atoll.scripts.run import memory_limits
from atoll.scripts.run.memory_limits import MemoryLimit, cgroup_limits, check_memory, limits
from tests.processes import check_refused, run

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = island_config("a", {"population": 1000}, {})
NEEDED = needed_bytes(CONFIG, 10_000)


@pytest.fixture
def limited(monkeypatch: pytest.MonkeyPatch):
    def to(*n_bytes: int) -> None:
        monkeypatch.setattr(memory_limits, "limits", lambda: iter([MemoryLimit(n, "is here") for n in n_bytes]))

    return to


def test_what_fits_to_the_byte_is_tried_and_a_byte_less_is_refused(limited):
    said: list[str] = []
    limited(NEEDED, 2 * NEEDED)
    check_memory(CONFIG, 10_000, say=said.append)
    limited(2 * NEEDED, NEEDED - 1)
    with pytest.raises(ConfigError, match=r"1,000 individuals of 10,000 genes need about .* GB of memory, and"):
        check_memory(CONFIG, 10_000, say=said.append)
    assert said == []


def test_the_refusal_says_how_many_individuals_cannot_fit(limited):
    limited(NEEDED // 3)
    with pytest.raises(ConfigError) as refused:
        check_memory(CONFIG, 10_000, say=print)
    fitting = int(re.search(r"more than (\d+) individuals cannot fit", str(refused.value))[1])
    fewer = island_config("a", {"population": fitting}, {})
    check_memory(fewer, 10_000, say=print)
    limited(-5)
    with pytest.raises(ConfigError, match="and 0 GB is all that is here: use fewer genes"):
        check_memory(CONFIG, 10_000, say=print)


def test_matrices_that_do_not_fit_are_refused_with_the_algorithm_that_has_none(limited):
    config = island_config("a", {"population": 1000, "algorithm": "cma"}, {})
    limited(needed_bytes(config, 10_000) - 1)
    with pytest.raises(ConfigError, match="is all that is here: use --algorithm sep-cma, which holds no matrix"):
        check_memory(config, 10_000, say=print)
    check_memory(island_config("a", {"population": 1000, "algorithm": "sep-cma"}, {}), 10_000, say=print)


def test_what_would_fit_if_others_made_room_is_tried_with_a_warning(limited, monkeypatch):
    """How much is free changes while an island starts, so it refuses nobody."""
    said: list[str] = []
    limited(2 * NEEDED)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=NEEDED - 1))
    check_memory(CONFIG, 10_000, say=said.append)
    [warning] = said
    assert warning.startswith("warning: 1,000 individuals of 10,000 genes")


def test_a_machine_has_its_memory_and_no_more():
    assert min(each.n_bytes for each in limits()) <= psutil.virtual_memory().total + psutil.swap_memory().total


@pytest.mark.parametrize(
    ("membership", "files", "expected"),
    [
        (
            "0::/jobs/one\n",
            {"jobs/one/memory.max": "max", "jobs/memory.max": "5000", "memory.max": "9000"},
            [5000, 9000],
        ),
        ("7:cpu:/x\n4:memory:/box\n", {"memory/box/memory.limit_in_bytes": "700"}, [700]),
        ("4:memory:/not/shown/here\n", {"memory/memory.limit_in_bytes": "800"}, [800]),
        ("0::/\n", {}, []),
    ],
)
def test_the_limits_of_a_control_group_and_of_those_above_it_are_read(tmp_path: Path, membership, files, expected):
    for name, text in files.items():
        (tmp_path / "groups" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "groups" / name).write_text(f"{text}\n")
    (tmp_path / "membership").write_text(membership)
    assert list(cgroup_limits(tmp_path / "groups", tmp_path / "membership")) == expected


def test_where_control_groups_are_unknown_none_limits(tmp_path):
    assert list(cgroup_limits(tmp_path, tmp_path / "nowhere")) == []


@pytest.mark.parametrize(("kind", "flag"), [(resource.RLIMIT_AS, "ulimit -v"), (resource.RLIMIT_DATA, "ulimit -d")])
def test_a_limit_of_the_process_counts_less_what_it_has_taken(kind, flag, monkeypatch):
    limit = 1 << 50
    monkeypatch.setattr(resource, "getrlimit", lambda asked: (limit if asked == kind else resource.RLIM_INFINITY, -1))
    [ours] = [each for each in limits() if flag in each.whose]
    assert 0 < limit - ours.n_bytes < 1 << 45


def test_where_the_system_does_not_tell_what_is_taken_the_limits_are_told_all_the_same(monkeypatch):
    """As on macOS, where a process has no size of its data."""
    monkeypatch.setattr(psutil.Process, "memory_info", lambda _: SimpleNamespace(rss=1000, vms=2000))
    assert min(each.n_bytes for each in limits()) > 0


def limited_island(root: Path, kilobytes: int, *settings: str):
    command = f"ulimit -v {kilobytes}; exec {sys.executable} cli.py evolve m --task sphere -o dimensions=1000 -g 2 "
    return run("bash", "-c", command + f"--migration-dir {root} --topology none {' '.join(settings)}")


@pytest.mark.slow
def test_a_population_beyond_the_address_space_starts_nothing(root):
    check_refused(limited_island(root, 3_000_000, "-p", "1000000"), ConfigError.exit_code, "ulimit -v", "GB of memory")
    assert not root.exists()


@pytest.mark.slow
def test_memory_that_runs_out_later_is_told_in_one_line(root):
    """Every gene mutates, which takes more than what an island needs at least."""
    ended = limited_island(root, 800_000, "-p", "20000", "--mutation-rate", "1")
    check_refused(ended, NoMemoryError.exit_code, "not enough memory", "fewer individuals")

"""A name is one path component that every file system takes, or it is refused; no path leaves its root."""

from functools import cached_property
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll.evo.errors import ConfigError
from atoll.evo.paths import (
    CHECKPOINT_NAME,
    EPOCH_NAME,
    IslandPaths,
    PrivateFiles,
    SharedPaths,
    archive_name,
    check_island_name,
    generation_name,
    is_island_name,
    parse_generation,
)

ROOT = Path("/root-of-all")
good_names = st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9_-]{0,63}\Z").filter(lambda name: name.lower() != "locks")
generations = st.integers(0, 10**9)


def files(paths):
    """Return every path of one island."""
    names = {**vars(PrivateFiles), **vars(IslandPaths)}
    plain = [getattr(paths, name) for name, kind in names.items() if isinstance(kind, cached_property)]
    return [*plain, paths.checkpoint(7), paths.inbox(7), paths.moments(7), paths.publication(7), paths.epoch(7)]


@pytest.mark.parametrize("name", ["island-01", "a", "0", "A_b-C", "x" * 64, "con", "locks2", "gen-1"])
def test_is_a_name(name):
    assert is_island_name(name)
    assert check_island_name(name) == name
    assert SharedPaths(ROOT).island(name) == IslandPaths(ROOT / "islands" / name, ROOT, name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "../up",
        "a/b",
        "/etc",
        "a\\b",
        "a b",
        " a",
        "a\n",
        "\n",
        "a\0",
        ".hidden",
        ".tmp-a",
        "-flag",
        "_a",
        "é",
        "\uff11",
        "\u0661",
        "\ud800",
        "a:b",
        "x" * 65,
        "x" * 300,
        "locks",
        "LOCKS",
        "Locks",
        "*",
        "~",
        "$HOME",
    ],
    ids=lambda name: ascii(name)[:20],
)
def test_is_no_name(name):
    assert not is_island_name(name)
    with pytest.raises(ConfigError, match="for example island-01") as refusal:
        SharedPaths(ROOT).island(name)
    assert len(str(refusal.value)) < 300


@given(st.text(max_size=70))
def test_whatever_is_a_name_is_one_plain_component(name):
    if is_island_name(name):
        assert name.isascii()
        assert Path(name).name == name
        assert name not in {".", ".."}
    else:
        with pytest.raises(ConfigError):
            check_island_name(name)


@given(good_names)
def test_every_file_of_an_island_lies_below_its_root_and_no_two_are_the_same(name):
    paths = files(SharedPaths(ROOT).island(name))
    assert all(path.is_relative_to(ROOT) and ".." not in path.parts for path in paths)
    assert len(set(paths)) == len(paths)


@given(good_names, good_names)
def test_two_islands_share_no_file(a, b):
    if a != b:
        assert not set(files(SharedPaths(ROOT).island(a))) & set(files(SharedPaths(ROOT).island(b)))


def test_an_island_stands_where_the_archipelago_looks_for_it():
    shared, island = SharedPaths(ROOT), SharedPaths(ROOT).island("a")
    assert island.home.parent == shared.homes
    assert island.outbox.parent == shared.pool
    assert island.owner_lock.parent == island.prune_lock.parent == shared.locks


@given(generations)
def test_a_generations_name_is_read_back(generation):
    assert parse_generation(generation_name(generation)) == generation
    assert parse_generation(SharedPaths(ROOT).island("a").publication(generation).name) == generation
    assert parse_generation(SharedPaths(ROOT).island("a").checkpoint(generation).name, CHECKPOINT_NAME) == generation
    if generation:
        assert parse_generation(SharedPaths(ROOT).island("a").epoch(generation).name, EPOCH_NAME) == generation


@given(good_names, good_names, st.integers(0, 10**9), st.integers(0, 10**9))
def test_an_archives_name_tells_whose_it_is_and_which(mine, other, epoch, later):
    assert parse_generation(f"{mine}-{epoch}", archive_name(mine)) == epoch
    assert (archive_name(mine).fullmatch(f"{other}-{later}") is not None) == (mine == other)
    assert archive_name(mine).fullmatch(f"{mine}-{later}-{epoch}") is None
    assert archive_name(f"{mine}-{later}").fullmatch(f"{mine}-{epoch}") is None


@given(st.text("gen-0123456789 +\n.\u0661", max_size=16) | st.text(max_size=16))
def test_only_one_spelling_names_a_generation(name):
    number = parse_generation(name)
    assert number is None or name == generation_name(number)


@pytest.mark.parametrize(
    "name", ["gen-", "gen-01", "gen--1", "gen-1\n", "Gen-1", "gen-1.0", "gen-\u0661", ".tmp-gen-1", "gen-12345678901"]
)
def test_names_no_generation(name):
    assert parse_generation(name) is None
    assert parse_generation(f"{name}.safetensors", CHECKPOINT_NAME) is None


def test_a_private_folder_has_the_same_names_wherever_it_is():
    """An archived island is read by the same spelling as a living one."""
    island = SharedPaths(ROOT).island("a")
    elsewhere = PrivateFiles(ROOT / "old" / "a-3" / "private")
    for name in ("checkpoints", "inboxes", "all_moments", "log", "ledger", "migration_log", "champion"):
        assert getattr(elsewhere, name).relative_to(elsewhere.home) == getattr(island, name).relative_to(island.home)
    assert elsewhere.inbox(10).relative_to(elsewhere.home) == island.inbox(10).relative_to(island.home)

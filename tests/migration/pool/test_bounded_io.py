"""Laws of reading what a stranger wrote: bounded, typed, never waiting."""

from __future__ import annotations

import os
import socket

import pytest

from atoll.migration.pool import bounded_io as untrusted
from atoll.migration.pool.bounded_io import (
    Budget,
    Reason,
    RefusedError,
    VanishedError,
    directory,
    generations_in,
    list_names,
    read_file,
)


def read(path, limit=100):
    with directory(path.parent) as descriptor:
        return read_file(descriptor, path.name, limit=limit)


@pytest.fixture
def place(tmp_path):
    path = tmp_path / "island" / "gen-1"
    path.mkdir(parents=True)
    return path


@pytest.mark.parametrize("size", [0, 1, 99, 100])
def test_a_file_up_to_the_limit_is_read_whole(place, size):
    (place / "f").write_bytes(b"x" * size)
    assert read(place / "f") == b"x" * size


def test_a_larger_file_is_refused_unread(place, monkeypatch):
    (place / "f").write_bytes(b"x" * 101)
    monkeypatch.setattr(os, "read", None)
    with pytest.raises(RefusedError) as refused:
        read(place / "f")
    assert refused.value.reason is Reason.TOO_LARGE


def test_a_small_file_asks_for_little_memory_however_high_the_limit(place, monkeypatch):
    (place / "f").write_bytes(b"x")
    asked = []
    read_bytes = os.read
    monkeypatch.setattr(os, "read", lambda descriptor, n: [asked.append(n), read_bytes(descriptor, n)][1])
    assert read(place / "f", limit=1 << 40) == b"x"
    assert max(asked) <= untrusted.CHUNK_BYTES


def test_a_file_beyond_the_budget_is_refused_unread(place, monkeypatch):
    (place / "f").write_bytes(b"x")
    spent = Budget()
    spent.spend("others", untrusted.MAX_ROUND_BYTES)
    monkeypatch.setattr(os, "read", None)
    with directory(place) as descriptor, pytest.raises(RefusedError) as refused:
        read_file(descriptor, "f", limit=100, budget=spent)
    assert refused.value.reason is Reason.OVER_BUDGET


def test_a_refusal_names_the_file_and_the_byte(place):
    (place / "f").write_bytes(b"x" * 101)
    os.mkfifo(place / "fifo")
    for name, byte in (("f", 100), ("fifo", None)):
        with pytest.raises(RefusedError) as refused:
            read(place / name)
        assert (refused.value.name, refused.value.byte) == (name, byte)


def test_a_file_that_grows_while_it_is_read_is_refused(place, monkeypatch):
    (place / "f").write_bytes(b"x" * 100)
    read_bytes = os.read

    def grow_before(descriptor, n):
        monkeypatch.undo()
        with (place / "f").open("ab") as file:
            file.write(b"more")
        return read_bytes(descriptor, n)

    monkeypatch.setattr(os, "read", grow_before)
    with pytest.raises(RefusedError) as refused:
        read(place / "f")
    assert refused.value.reason is Reason.TOO_LARGE
    assert "grew beyond 100 bytes" in refused.value.detail


def test_an_island_s_folder_is_not_listed_through_a_link(place):
    (place.parent.parent / "link").symlink_to(place.parent)
    assert generations_in(place.parent) == [1]
    with pytest.raises(OSError, match="a link in the place of a folder"):
        generations_in(place.parent.parent / "link")


def plant_fifo(path):
    os.mkfifo(path)


def plant_socket(path):
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(path))


def plant_link(path):
    path.symlink_to("/etc/hostname")


def plant_loop(path):
    path.symlink_to(path.name)


def plant_dangling(path):
    path.symlink_to("nowhere")


def plant_directory(path):
    path.mkdir()


def plant_device(path):
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize(
    "plant", [plant_fifo, plant_socket, plant_link, plant_loop, plant_dangling, plant_directory, plant_device]
)
def test_anything_but_a_plain_file_is_refused_without_waiting(tmp_path, plant, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a socket's path is limited to 107 bytes
    place = tmp_path / "island" / "gen-1"
    place.mkdir(parents=True)
    monkeypatch.chdir(place)
    plant(place.relative_to(place) / "f")
    with pytest.raises(RefusedError) as refused:
        read(place / "f")
    assert refused.value.reason is Reason.NOT_A_FILE


def test_a_missing_file_has_vanished(place):
    with pytest.raises(VanishedError):
        read(place / "f")


def test_a_missing_directory_has_vanished(tmp_path):
    for path in (tmp_path / "gone", tmp_path / "gone" / "gone"):
        with pytest.raises(VanishedError), directory(path):
            pass


@pytest.mark.parametrize("depth", [0, 1])
def test_a_directory_behind_a_link_is_refused(tmp_path, place, depth):
    """In the last place of the path and in the one before it: an island's folder and its batch."""
    link = tmp_path / "link"
    link.symlink_to(place.parent if depth else place)
    with pytest.raises(RefusedError) as refused, directory(link / "gen-1" if depth else link):
        pass
    assert refused.value.reason is Reason.NOT_A_FILE


def test_no_descriptor_is_left_open(place):
    (place / "f").write_bytes(b"x" * 101)
    os.mkfifo(place / "fifo")
    before = len(os.listdir("/proc/self/fd"))
    for name in ("f", "fifo", "gone"):
        with pytest.raises((RefusedError, VanishedError)):
            read(place / name)
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_listing_is_sorted_and_bounded(tmp_path):
    for name in "cab":
        (tmp_path / name).touch()
    assert list_names(tmp_path) == ["a", "b", "c"]
    assert len(list_names(tmp_path, limit=2)) == 2


def test_what_is_no_directory_has_no_names(tmp_path):
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "fifo")
    assert list_names(tmp_path / "gone") == list_names(tmp_path / "file") == list_names(tmp_path / "fifo") == []


def test_the_detail_of_a_refusal_is_short():
    """A stranger's manifest may be 256 KiB of nonsense; our ledger and inbox quote a little of it."""
    error = RefusedError(Reason.DAMAGED, "x" * 300_000)
    assert len(error.detail) <= 300
    assert len(str(error)) <= 350


# What an import may cost: files, bytes and seconds, each by itself


def over_budget(spent, n_bytes=0):
    with pytest.raises(RefusedError) as error:
        spent.spend("f", n_bytes)
    return error.value.reason


def test_files_are_counted():
    spent = Budget()
    for _ in range(untrusted.MAX_ROUND_FILES):
        spent.spend("f", 0)
    assert over_budget(spent) is Reason.OVER_BUDGET


def test_bytes_are_counted_and_what_is_refused_costs_nothing():
    spent = Budget()
    spent.spend("f", untrusted.MAX_ROUND_BYTES - 1)
    assert over_budget(spent, 2) is Reason.OVER_BUDGET
    spent.spend("f", 1)
    assert over_budget(spent, 1) is Reason.OVER_BUDGET
    spent.spend("f", 0)


def test_seconds_are_counted_from_the_beginning_of_the_import():
    now_s = 1000.0
    spent = Budget(lambda: now_s)
    now_s += untrusted.MAX_ROUND_S
    spent.spend("f", 1)
    now_s += 0.1
    assert over_budget(spent) is Reason.OVER_BUDGET


def test_a_new_import_has_a_budget_of_its_own():
    spent = Budget()
    spent.spend("f", untrusted.MAX_ROUND_BYTES)
    Budget().spend("f", untrusted.MAX_ROUND_BYTES)

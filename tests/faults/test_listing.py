"""Laws of listings that are old, as on network file systems: what is not seen yet comes later, and nothing goes back.

Row 20. Listings pass one function, and here it returns what it found some time ago.
"""

from __future__ import annotations

from functools import partial

import pytest

from atoll.migration.pool import bounded_io as untrusted
from atoll.migration.pool import epochs
from tests.migration.archipelago import OnDisk, collect, migrants_of


class Lag:
    """Stands for what lists a directory: while it is on, each listing is what it was when that began."""

    def __init__(self):
        self._list = untrusted._list
        self._before = {}
        self.is_on = False

    def __call__(self, path, *how):
        if not self.is_on or path not in self._before:
            self._before[path] = self._list(path, *how)
        return self._before[path]


@pytest.fixture
def lag(monkeypatch):
    lag = Lag()
    monkeypatch.setattr(untrusted, "_list", lag)
    return lag


@pytest.fixture
def disk(tmp_path):
    return OnDisk(tmp_path / "shared")


def take_in(island, generation):
    """Import as an island does; return the generations that the genomes come from, and the reasons of refusals."""
    arrivals = collect(island, "a", generation)
    return {source.generation for source in arrivals.sources}, [refusal.reason for refusal in arrivals.refusals]


def test_what_an_old_listing_does_not_show_is_imported_later_and_nothing_goes_back(disk, lag, tally):
    a, b = disk.island("a"), disk.island("b")
    b.publish(10, migrants_of("b", 10))
    assert take_in(a, 10) == ({10}, [])
    lag.is_on = True
    b.publish(20, migrants_of("b", 20))
    assert take_in(a, 20) == ({10}, [])
    lag.is_on = False
    assert take_in(a, 30) == ({20}, [])
    tally(20, listings=4)


def test_a_listing_that_goes_back_brings_nothing_that_was_overtaken(disk, tally):
    """Two servers, one of them behind: a peer's older batch is refused once its newer one was met."""
    a, b = disk.island("a"), disk.island("b")
    for generation in (10, 20):
        b.publish(generation, migrants_of("b", generation))
    assert take_in(a, 10) == ({20}, [])
    newest = disk.paths("b").publication(20)
    newest.rename(newest.with_name(".not-here"))
    assert take_in(a, 20) == (set(), ["older than what was seen"])
    tally(20, listings=2)


def test_a_name_that_is_listed_before_its_folder_can_be_opened_is_no_error(disk, lag, tally):
    a, b = disk.island("a"), disk.island("b")
    for generation in (10, 20):
        b.publish(generation, migrants_of("b", generation))
    untrusted.list_names(disk.paths("b").outbox)
    lag.is_on = True
    newest = disk.paths("b").publication(20)
    newest.rename(newest.with_name(".not-yet"))
    assert take_in(a, 10) == ({10}, [])
    newest.with_name(".not-yet").rename(newest)
    assert take_in(a, 20) == ({20}, [])
    tally(20, listings=2)


def test_a_start_that_sees_an_old_listing_of_epochs_takes_a_number_of_its_own(disk, lag, tally):
    """A link refuses the number that is taken, whether it is seen or not."""
    paths = disk.paths("a")
    untrusted.list_names(paths.epochs)
    claim = partial(epochs.claim, paths, after=0, generation=0, target=9, population=9, task="sphere")
    lag.is_on = True
    assert [claim().number for _ in range(3)] == [1, 2, 3]
    lag.is_on = False
    assert epochs.latest_number(paths) == 3
    tally(20, listings=3)

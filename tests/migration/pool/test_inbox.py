"""Laws of the inbox: what was imported comes back bit for bit, or is known to be damaged."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll.evo.errors import DamagedFileError, ResumeError
from atoll.evo.genome import Migrants
from atoll.evo.paths import SharedPaths
from atoll.migration.pool import inbox
from atoll.migration.pool.batch import MAX_GENOMES
from atoll.migration.pool.bounded_io import MAX_ISLANDS, Reason, RefusedError
from atoll.migration.pool.inbox import Arrivals, Refusal, Source
from tests.migration.archipelago import SPEC, migrants_of

NAMES = st.sampled_from(["a", "b", "island-01"])
COUNTS = st.integers(0, 2**53)


@pytest.fixture
def paths(tmp_path):
    return SharedPaths(tmp_path / "shared").island("a")


def arrivals(n=3, **changes):
    migrants = migrants_of("b", 10, n, ancestors=("b", "c"))
    sources = tuple(Source("b", 1, 10, f"{i:064}", "m" * 64) for i in range(n))
    return Arrivals(migrants, **{"sources": sources, "peers": 2, "seen": {"b": (1, 10)}, **changes})


def same(one, other):
    arrays = ("genes", "ancestry")
    return (
        all(np.array_equal(getattr(one.migrants.population, a), getattr(other.migrants.population, a)) for a in arrays)
        and one.migrants.population.islands == other.migrants.population.islands
        and one.migrants.fitness.tobytes() == other.migrants.fitness.tobytes()
        and one.migrants.ids == other.migrants.ids
        and all(getattr(one, f) == getattr(other, f) for f in ("sources", "refusals", "peers", "seen"))
    )


@given(
    st.integers(0, 5),
    st.lists(
        st.builds(Refusal, NAMES, COUNTS, st.sampled_from(Reason).map(str), st.text(st.characters(codec="utf-8")))
    ),
    st.dictionaries(NAMES, st.tuples(COUNTS, COUNTS)),
)
def test_what_is_kept_comes_back(n, refusals, seen):
    kept = (
        arrivals(n, refusals=tuple(refusals), seen=seen)
        if n
        else Arrivals(inbox.nobody(SPEC), (), tuple(refusals), 1, seen)
    )
    data = inbox.encode(10, kept)
    assert same(inbox.decode(data), kept)
    assert inbox.encode(10, inbox.decode(data)) == data


def test_a_generation_that_has_not_come_has_no_record(paths):
    assert inbox.load(paths, 10) is None


def test_a_record_is_found_by_its_generation(paths):
    kept = {g: arrivals(seen={"b": (1, g)}) for g in (9, 10, 100)}
    for generation, one in kept.items():
        inbox.save(paths, generation, one)
    assert all(same(inbox.load(paths, g), one) for g, one in kept.items())


@pytest.mark.parametrize(("generation", "expected"), [(9, None), (10, 9), (11, 10), (100, 10), (101, 100)])
def test_the_record_before_is_the_highest_number_below(paths, generation, expected):
    """By number, not by letter: gen-9 comes before gen-10."""
    for g in (9, 10, 100):
        inbox.save(paths, g, arrivals(seen={"b": (1, g)}))
    before = inbox.newest_before(paths, generation)
    assert (before.seen["b"][1] if before else None) == expected


def test_every_truncation_is_damage():
    data = inbox.encode(10, arrivals())
    for n in range(len(data)):
        with pytest.raises(DamagedFileError):
            inbox.decode(data[:n])


def test_a_damaged_record_is_an_error_that_names_it(paths):
    """The import cannot be repeated, so going on would be another run."""
    inbox.save(paths, 10, arrivals())
    data = bytearray(paths.inbox(10).read_bytes())
    data[-1] ^= 1
    paths.inbox(10).write_bytes(data)
    with pytest.raises(ResumeError, match=f"{paths.inbox(10)}.*--fresh"):
        inbox.load(paths, 10)


def test_a_record_of_another_version_is_refused(paths, monkeypatch):
    monkeypatch.setattr(inbox, "FORMAT", 2)
    inbox.save(paths, 10, arrivals())
    monkeypatch.undo()
    with pytest.raises(ResumeError, match="format 2, this version of Atoll reads 1"):
        inbox.load(paths, 10)


def test_the_largest_import_there_can_be_is_read_again():
    """64 genomes with ids of 128 characters, 1,024 ancestors of 64, refusals from every one of them, three each."""
    names = tuple(f"{i:064}" for i in range(MAX_ISLANDS))
    migrants = migrants_of("b", 10, MAX_GENOMES, ancestors=names)
    migrants = Migrants(migrants.population, migrants.fitness, tuple(f"{i:0128}" for i in range(MAX_GENOMES)))
    detail = RefusedError(Reason.DAMAGED, '"' * 300_000).detail
    refusals = tuple(Refusal(name, 2**33, str(Reason.DAMAGED), detail) for name in names[:64] for _ in range(3))
    sources = tuple(Source(names[0], 2**33, 2**33, "0" * 64, "1" * 64) for _ in range(MAX_GENOMES))
    kept = Arrivals(migrants, sources, refusals, MAX_ISLANDS, dict.fromkeys(names, (2**33, 2**33)))
    assert same(inbox.decode(inbox.encode(10, kept)), kept)


def test_refused_counts_the_refusals():
    assert dataclasses.replace(arrivals(), refusals=(Refusal("b", 1, "damaged", ""),) * 2).refused == 2


def test_a_record_by_itself_is_read_without_advice_for_its_island(paths):
    """A replay reads another island's; starting that one afresh would be no help."""
    assert inbox.read(paths.inbox(10)) is None
    inbox.save(paths, 10, arrivals())
    assert same(inbox.read(paths.inbox(10)), arrivals())
    paths.inbox(10).write_bytes(b"")
    with pytest.raises(DamagedFileError, match=f"{paths.inbox(10)}"):
        inbox.read(paths.inbox(10))

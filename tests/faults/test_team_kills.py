"""Laws of a team whose members are killed at random moments, the owner too: one process's bytes, and no score lost."""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pytest

from atoll.evo.paths import SharedPaths
from atoll.migration.observe.verify import verify
from tests.scripts.run.island_process import (
    KILLED,
    Job,
    copy_of,
    end,
    epochs_of,
    last_generation,
    outcome,
    run,
    start,
    wait_for,
)

if TYPE_CHECKING:
    from pathlib import Path

N_MEMBERS = 4
DELAY_S = 0.02


def soak(root: Path, generations: int, n_kills: int, rng: np.random.Generator, witness: Path) -> list[int]:
    """Live an island by a team and kill its members; return the generation at which each kill hit.

    They come at generations that are spread evenly, and each a part of a generation later; the victim is the owner as
    often as another. Whoever was killed is started again at once.
    """
    job = Job(
        root, "a", {"generations": generations, "population": 16}, delay_s=DELAY_S, team=N_MEMBERS, witness=witness
    )
    members = [start(job) for _ in range(N_MEMBERS)]
    hits: list[int] = []
    for goal in (np.arange(n_kills) + rng.random(n_kills)) * (0.95 * generations / n_kills):
        n = int(rng.integers(N_MEMBERS))
        wait_for(lambda: last_generation(root) >= goal, members[n])  # noqa: B023 - at once
        if rng.random() < 0.5:
            n = owner_among(root, [member.pid for member in members], n)
        time.sleep(rng.random() * 2 * DELAY_S)
        members[n].kill()
        assert end(members[n]) == KILLED
        hits.append(int(goal))
        members[n] = start(job)
    assert [end(member) for member in members] == [0] * N_MEMBERS
    return hits


def owner_among(root: Path, pids: list[int], otherwise: int) -> int:
    """Return the place of the owner's process, if it is one of them."""
    numbers = epochs_of(root)
    record = json.loads(SharedPaths(root).island("a").epoch(max(numbers)).read_text()) if numbers else {}
    return pids.index(record["pid"]) if record.get("pid") in pids else otherwise


@dataclass(frozen=True)
class Deed:
    """What a member did: it began to score genomes for a generation, or published their scores, or found them there."""

    what: str
    genomes: tuple[tuple[str, str], ...]
    looked_s: float
    at_s: float


def witnessed(place: Path) -> list[Deed]:
    """Return what members did, as they wrote it themselves; a genome is one of a generation's."""
    lines = [json.loads(line) for path in place.iterdir() for line in path.read_text().splitlines()]
    return [
        Deed(what, tuple((request.split("-")[1], genome) for genome in genomes), looked_s, at_s)
        for what, request, genomes, looked_s, at_s in lines
    ]


def scored_again(deeds: list[Deed]) -> list[tuple[str, str]]:
    """Return the genomes that somebody began to score who could see that they had scores."""
    published = [(genome, deed.at_s) for deed in deeds if deed.what == "published" for genome in deed.genomes]
    published_s = dict(sorted(published, key=lambda each: -each[1]))  # the first time that it was
    begun = [(genome, deed.looked_s) for deed in deeds if deed.what == "began" for genome in deed.genomes]
    return [genome for genome, looked_s in begun if looked_s > published_s.get(genome, np.inf)]


@pytest.mark.slow
def test_a_team_whose_members_are_killed_ends_in_the_bytes_of_one_process_and_loses_no_score(tmp_path, tally, chaos):
    n_kills, generations = (200, 1000) if chaos else (12, 60)
    template, place = tmp_path / "template", tmp_path / "witness"
    place.mkdir()
    run(template, "peer")
    root, whole = copy_of(template, tmp_path / "killed"), copy_of(template, tmp_path / "whole")
    hits = soak(root, generations, n_kills, np.random.default_rng(3), place)
    assert run(whole, generations=generations, population=16) == 0
    assert outcome(root) == outcome(whole)
    assert verify(SharedPaths(root)).defects == []
    deeds = witnessed(place)
    counts = Counter(deed.what for deed in deeds)
    genomes = sum(len(deed.genomes) for deed in deeds if deed.what == "published")
    assert scored_again(deeds) == []
    assert len(hits) == n_kills
    owners = len(epochs_of(root))
    assert owners > n_kills / 10
    assert np.histogram(hits, 4, (0, generations))[0].min() >= n_kills // 5, "kills are spread over the whole run"
    in_flight = counts["began"] - counts["published"] - counts["duplicate"]
    tally(36, kills=n_kills, owners=owners, genomes_scored=genomes, scored_again=0)
    tally(36, shares=counts["published"], shares_in_flight=in_flight, duplicates=counts["duplicate"])

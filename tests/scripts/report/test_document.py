"""The document is small whatever the run, and says what it leaves out."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll.evo.paths import SharedPaths, is_island_name
from atoll.evo.records import Generation, Imported, Start, Time
from atoll.migration.observe.history import History, Life, read_histories
from atoll.migration.observe.status import IslandStatus, read_all
from atoll.scripts.report import page
from atoll.scripts.report.champion import Champion
from atoll.scripts.report.page import document, thin


def status(name: str) -> IslandStatus:
    nothing = dict.fromkeys(IslandStatus.__dataclass_fields__)
    counts = {"exports": 0, "imports": 0, "refused": 0, "waiting_for": ()}
    return IslandStatus(**{**nothing, **counts, "name": name, "condition": "running", "target": 9})


def story(name: str, n: int, islands: list[str], **settings: object) -> History:
    share = 1 / len(islands)
    lines = tuple(
        Generation(
            generation=g,
            best=g / 7,
            median=g / 9,
            champion=g / 7,
            diversity=0.123456789,
            ancestry=dict.fromkeys(islands, share),
            time=Time(unix_s=1.7e9 + g),
        )
        for g in range(n)
    )
    arrivals = tuple(
        Imported(
            generation=g,
            source=islands[g % len(islands)],
            source_generation=g,
            fitness_here=g / 3,
            led=True,
            time=Time(unix_s=1.7e9 + g),
        )
        for g in range(0, n, 2)
    )
    lives = (Life(1, 0, n - 1, 1.7e9, 1.7e9 + n, "", 0, "host"),)
    return History(name, 20, lines, lives, Start(generation=0, settings=settings), arrivals, 0)


def shown(histories, **more):
    return document(histories, rows_of(histories), {}, {}, title="t", made="now", **more)


def rows_of(histories):
    return {history.island: status(history.island) for history in histories}


@given(st.lists(st.integers(0, 10_000), max_size=700), st.integers(2, 300))
def test_thinned_numbers_are_some_of_them_with_both_ends(numbers, at_most):
    kept = thin(numbers, at_most=at_most)
    assert kept == sorted(set(kept))
    assert set(kept) <= set(numbers)
    assert len(kept) <= at_most
    if numbers:
        assert {min(numbers), max(numbers)} <= set(kept)


@pytest.mark.slow
def test_a_huge_run_stays_a_small_document():
    names = [f"island-{i:03}" for i in range(200)]
    told = shown([story(name, 400, names) for name in names])
    assert len(json.dumps(told)) < 4e6
    assert len(told["generations"]) <= page.MAX_POINTS
    assert len(told["arrivals"]) == page.MAX_ARRIVALS
    assert any("arrivals" in note for note in told["notes"])
    assert len(told["ancestry"]["founders"]) == page.MAX_FOUNDERS + 1
    for rows in told["ancestry"]["shares"][:3]:
        np.testing.assert_allclose(np.sum(rows, axis=0), 1e4, atol=page.MAX_FOUNDERS)


def test_settings_are_told_where_islands_differ_and_where_not():
    told = shown([story("a", 2, ["a"], rate=0.1, size=5), story("b", 2, ["a"], rate=0.2, size=5), story("c", 0, ["a"])])
    assert told["settings"] == [{"name": "rate", "values": ["0.1", "0.2", ""]}]
    assert told["shared_settings"] == [["size", "5"]]


def test_generations_that_an_island_has_not_lived_are_gaps():
    told = shown([story("a", 5, ["a"]), story("b", 2, ["a"])])
    assert told["generations"] == [0, 1, 2, 3, 4]
    assert told["islands"][1]["curves"]["best"][2:] == [None, None, None]
    assert told["islands"][1]["generation"] == 1
    assert told["ancestry"]["shares"][1][0][2:] == [None, None, None]


def test_arrivals_are_in_order_of_time():
    told = shown([story("a", 9, ["a", "b"]), story("b", 9, ["a", "b"])])
    times = [arrival[0] for arrival in told["arrivals"]]
    assert times == sorted(times)
    assert told["givers"] == ["a", "b"]


@pytest.mark.parametrize("length", [199, 200, 2000])
def test_texts_are_cut(length):
    told = shown([story("a", 1, ["a"])], notes=["x" * length])
    assert len(told["notes"][0]) <= page.MAX_TEXT + 1


@pytest.mark.parametrize("n_islands", [1, 3, 64, 200])
def test_genes_are_painted_by_their_commonest_origins_and_the_rest_as_one(n_islands):
    names = tuple(f"island-{i:03}" for i in range(n_islands))
    origins = np.random.default_rng(n_islands).permutation(np.repeat(np.arange(n_islands), np.arange(n_islands) + 1))
    task = {"name": "sphere", "segments": [("x", origins.size)], "options": {}, "genome_sha256": ""}
    genome = np.zeros(origins.size, np.float32)
    champion = Champion("a", 3, 1.0, genome, origins.astype(np.uint16), names, task)
    histories = [story("a", 1, ["a"])]
    told = document(histories, rows_of(histories), {"a": champion}, {}, title="t", made="now")
    told = told["islands"][0]["champion"]
    painted = dict(zip(map(chr, range(ord("0"), 128)), told["origins"], strict=False))
    shown = [painted.get(letter) for letter in told["genes"]]
    common = set(names[-page.MAX_PAINTED :])  # the later ones have more genes
    assert shown == [names[origin] if names[origin] in common else None for origin in origins]


def test_the_sum_of_all_others_is_no_islands_name():
    told = shown([story("others", 2, ["others", "b"])])
    assert told["ancestry"]["founders"] == ["b", "others", page.OTHERS]
    assert not is_island_name(page.OTHERS)


def test_what_is_no_finite_number_is_not_known():
    assert page._number(float("nan")) is page._number(float("inf")) is page._number(None) is None
    assert page._number(1.23456789) == 1.23457


@pytest.mark.parametrize(("n", "words"), [(1, "1 line of"), (2, "2 lines of")])
def test_lines_that_cannot_be_read_are_counted(n, words):
    [note] = shown([replace(story("a", 1, ["a"]), n_unreadable=n)])["notes"]
    assert note == f"{words} the logs of a cannot be read"


def test_a_name_that_no_island_can_have_is_cut():
    told = shown([story("a", 2, ["x" * 999])])
    assert told["ancestry"]["founders"] == ["a", "x" * 64, page.OTHERS]
    assert told["givers"] == ["a", "x" * 64]


@pytest.mark.slow
def test_real_kills_and_restarts_are_told(archipelago):
    shared = SharedPaths(archipelago)
    stories = {history.island: history for history in read_histories(shared)}
    rows = {row.name: row for row in read_all(shared)}
    told = document(list(stories.values()), rows, {}, {}, title="t", made="now")["islands"]
    endings = {island["name"]: [life["ending"] for life in island["lives"]] for island in told}
    assert (endings["reef-a"], endings["reef-c"]) == (["finished"], ["stopped", "finished"])
    killed, again = stories["reef-b"].lives
    assert killed.lost == max(killed.last - again.generation, 0)
    assert (killed.ending == "killed") == (killed.lost > 0)
    assert endings["reef-b"][-1] == "finished"
    assert all(
        [each.generation for each in history.lines] == list(range(len(history.lines))) for history in stories.values()
    )
    assert {arrival.source for arrival in stories["reef-c"].arrivals} == {"reef-a", "reef-b"}
    assert stories["reef-c"].settings["mutation_rate"] == 0.02

"""A story is what the files say, however they end."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from atoll.evo.paths import SharedPaths
from atoll.scripts.report.history import read_history
from tests.migration.archipelago import number_an_epoch

if TYPE_CHECKING:
    from pathlib import Path


def start(generation: int, epoch: int, **more: object) -> dict:
    return {"kind": "start", "generation": generation, "epoch": epoch, "started_s": 100.0 * epoch, "host": "h", **more}


def line(generation: int, **more: object) -> dict:
    values = {"best": 1.0, "median": 0.5, "champion": 1.0, "diversity": 0.2, "ancestry": {"a": 1.0}}
    return {"kind": "generation", "generation": generation, **values, "time": {"unix_s": 100.0 + generation}, **more}


def write(root: Path, records: list[dict], *, tail: str = "") -> None:
    home = root / "islands" / "a"
    home.mkdir(parents=True)
    (home / "log.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records) + tail)


def only(root: Path):
    [history] = read_history(SharedPaths(root))
    return history


def test_lives_tell_a_kill_from_a_stop_and_what_was_lived_again(tmp_path):
    lines = [line(g) for g in range(8)]
    write(tmp_path, [start(0, 1), *lines, start(5, 2), line(5), line(6), line(7), start(7, 3), line(7), line(8)])
    history = only(tmp_path)
    assert [(life.ending, life.last, life.lost) for life in history.lives] == [
        ("killed", 7, 2),
        ("stopped", 7, 0),
        ("stopped", 8, 0),  # no epoch in the pool: nobody runs it
    ]
    assert [each.generation for each in history.lines] == list(range(9))


def test_a_torn_last_line_is_none_and_a_damaged_one_is_counted(tmp_path):
    home = tmp_path / "islands" / "a"
    home.mkdir(parents=True)
    whole = json.dumps(start(0, 1)) + "\n" + json.dumps(line(0)) + "\n"
    (home / "log.jsonl").write_text(whole + "not json\n" + json.dumps(line(1)) + "\n" + '{"kind":"gener')
    history = only(tmp_path)
    assert [each.generation for each in history.lines] == [0, 1]
    assert history.n_unreadable == 1


def test_nonsense_in_a_log_is_left_out(tmp_path):
    nonsense = line(1, best="<b>", median=None, ancestry={"x" * 999: 0.5, "y": "1"}, time=7)
    write(tmp_path, [start(0, 1, settings="none", host=["h"]), line(0, ancestry=[]), nonsense])
    history = only(tmp_path)
    assert history.settings == {}
    assert history.lines[0].shares == {}
    assert history.lines[1].best is history.lines[1].median is history.lines[1].unix_s is None
    assert history.lines[1].shares == {"x" * 64: 0.5}


def test_an_island_that_only_published_has_a_story_too(tmp_path):
    number_an_epoch(SharedPaths(tmp_path).island("a"))
    history = only(tmp_path)
    assert (history.name, history.lines, history.lives) == ("a", (), ())


@pytest.mark.slow
def test_real_kills_and_restarts_are_told(archipelago):
    stories = {history.name: history for history in read_history(SharedPaths(archipelago))}
    assert [life.ending for life in stories["reef-a"].lives] == ["finished"]
    assert [life.ending for life in stories["reef-c"].lives] == ["stopped", "finished"]
    killed, again = stories["reef-b"].lives
    assert killed.lost == max(killed.last - again.generation, 0)
    assert (killed.ending == "killed") == (killed.lost > 0)
    assert again.ending == "finished"
    assert all(
        [each.generation for each in history.lines] == list(range(len(history.lines))) for history in stories.values()
    )
    assert {arrival.giver for arrival in stories["reef-c"].arrivals} == {"reef-a", "reef-b"}
    assert stories["reef-c"].settings["mutation_rate"] == 0.02


def test_whether_an_arrival_led_is_what_its_ledger_says(tmp_path):
    """Where not the best leave, the best that is published says nothing of the best that lives there."""
    write(tmp_path, [start(0, 1), line(0)])
    arrival = {"kind": "imported", "generation": 0, "source": "b", "source_generation": 0, "fitness_here": 5.0}
    offered = {"kind": "published", "generation": 0, "best": 1.0}
    events = [offered, {**arrival, "led": False}, {**arrival, "led": True}, arrival]
    ledger = tmp_path / "islands" / "a" / "ledger.jsonl"
    ledger.write_text("".join(json.dumps(event) + "\n" for event in events))
    assert [each.has_led for each in only(tmp_path).arrivals] == [False, True, True]

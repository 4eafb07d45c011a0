from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from atoll.evo import compiler
from atoll.scripts.lab.kit.rows import Run
from atoll.scripts.lab.speed import exchange
from atoll.scripts.lab.speed.generation import Lap
from atoll.scripts.lab.speed.plan import QUICK
from atoll.scripts.lab.speed.rounds import measure

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.slow
@pytest.mark.skipif(compiler.find() is None, reason="no C++ compiler")
def test_every_event_is_a_row_and_so_is_every_run_with_and_without_them(tmp_path: Path) -> None:
    rows: list[dict] = []
    measure(exchange.cases(QUICK, tmp_path), rounds=1, write=rows.append)
    events = [(row["islands"], row["event"]) for row in rows if row["what"] == "event"]
    assert sorted(events) == [(islands, event) for islands in QUICK.pools for event in range(QUICK.events)]
    alone = [row["part"] for row in rows if row["what"] == "files alone"]
    assert alone == [*exchange.FILES] * QUICK.events
    rows = [row for row in rows if row["what"] != "files alone"]
    runs = {(row["what"], row["part"]): row for row in rows if row["what"] != "event"}
    assert set(runs) == {(what, backend) for what in ("on", "off") for backend in ("native", "reference")}
    for row in rows:
        for part in exchange.PARTS:
            assert 0 <= row[f"{part}_disk_s"] <= row[f"{part}_s"]
    for (what, _), row in runs.items():
        assert (row["publish_s"] > 0) == (row["import_s"] > 0) == (row["settle_s"] > 0) == (what == "on")
        assert row["checkpoint_s"] > 0  # the last generation is kept in any case


def test_waiting_for_the_disk_is_what_a_part_did_not_do_itself() -> None:
    laps = [Lap("files/publish", 5, 4), Lap("files/champion", 3, 1), Lap("files/publish", 7, 7)]
    found = {name: seconds for name, seconds in exchange._seconds(laps).items() if seconds}
    assert found == {"publish_s": 12, "publish_disk_s": 1, "champion_s": 3, "champion_disk_s": 2}


def event(islands: int, ms: float) -> dict:
    seconds = {f"{part}_s": ms / 1000 for part in exchange.PARTS}
    disk = {f"{part}_disk_s": ms / 2000 for part in exchange.PARTS}
    return {"repetition": 0, "what": "event", "islands": islands, **seconds, **disk}


def test_an_event_is_held_against_the_number_for_its_pool() -> None:
    rows = (event(20, 1), event(20, 0.5), event(20, 2), event(1000, 2), event(5, 9))
    per_event, *_ = exchange.tables(Run("exchange", "now", rows))
    found = {figure.what: figure for figure in per_event.figures}
    of_20 = found["20 islands: checkpoint + publish + import + settle"]
    assert list(of_20.values) == pytest.approx([4, 2, 8])
    assert (of_20.at_most, of_20.is_held) == (4, True)
    assert list(found["20 islands: the same without the disk"].values) == pytest.approx([2, 1, 4])
    assert list(found["20 islands: champion"].values) == pytest.approx([1, 0.5, 2])
    assert not found["1000 islands: checkpoint + publish + import + settle"].is_held
    assert found["5 islands: checkpoint + publish + import + settle"].at_most is None


def test_the_share_is_measured_from_inside_and_against_a_run_of_the_same_round_without() -> None:
    def run(repetition: int, what: str, wall_s: float) -> dict:
        inside = {**event(20, 10), "repetition": repetition, "what": what, "part": "native"}
        return {**inside, "wall_s": wall_s}

    rows = (run(0, "on", 1.0), run(0, "off", 0.9), run(1, "on", 2.0))
    *_, shares = exchange.tables(Run("exchange", "now", rows))
    found = {figure.what: list(figure.values) for figure in shares.figures}
    assert found["native: 1 - off / on"] == pytest.approx([10])
    assert found["native: timed inside"] == pytest.approx([5, 2.5])
    assert found["native: timed inside, without the disk"] == pytest.approx([2.5, 1.25])
    assert found["reference: timed inside"] == []

"""Laws of the flow: every migrant is counted once, where it went, and what was lived again replaces what it was."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll.evo import atomic, runlog
from atoll.evo.paths import SharedPaths
from atoll.migration.observe.flow import Flow, Passage, Refusals, read_events, read_flow, refusals_of
from atoll.migration.pool.bounded_io import Reason
from atoll.migration.pool.ledger import Ledger
from tests.migration.archipelago import collect, displaced, migrants_of, write_batch


@pytest.fixture
def shared(tmp_path):
    return SharedPaths(tmp_path)


def ledger_of(shared, name, *, generation=0, epoch=1):
    ledger = Ledger(shared.island(name))
    ledger.start({"epoch": epoch, "generation": generation})
    return ledger


def import_one(ledger, source, generation, here=1.0, there=1.0):
    ledger.note(
        "imported",
        "",
        generation=generation,
        source=source,
        source_generation=1,
        fitness_here=here,
        fitness_there=there,
    )


def publish(ledger, generation, best, n=2):
    ledger.note("published", "", generation=generation, ids=["x"] * n, best=best)


def refuse(ledger, source, generation, reason=Reason.DAMAGED):
    ledger.note("refused", "", generation=generation, source=source, reason=str(reason), detail="")


def test_who_gave_what_to_whom(shared):
    a, b = ledger_of(shared, "a"), ledger_of(shared, "b")
    publish(a, 10, best=2.0, n=3)
    import_one(a, "b", 10, here=3.0, there=3.0)
    import_one(a, "b", 10, here=1.0, there=9.0)
    import_one(a, "c", 10, here=2.0, there=2.0)
    publish(b, 10, best=5.0)
    publish(b, 20, best=5.0)
    import_one(b, "a", 20, here=6.0, there=5.0)
    refuse(b, "mallory", 20)
    refuse(b, "mallory", 20)
    refuse(b, "a", 20, Reason.OVER_BUDGET)
    flow = read_flow(shared)
    assert flow == Flow(
        islands=("a", "b"),
        published={"a": 3, "b": 4},
        passages=(Passage("a", "b", 1, 1, 0), Passage("b", "a", 2, 1, 1), Passage("c", "a", 1, 0, 1)),
        refusals=(Refusals("a", "b", str(Reason.OVER_BUDGET), 1), Refusals("mallory", "b", "damaged", 2)),
        unreadable_lines={},
    )
    assert flow.givers == ("a", "b", "c", "mallory")
    assert read_flow(shared, ("b",)).passages == (Passage("a", "b", 1, 1, 0),)


def test_what_a_real_exchange_notes_is_what_is_counted(disk):
    a, b = disk.island("a"), disk.island("b")
    a.publish(10, migrants_of("a", 10, 8))
    write_batch(disk.paths("a").publication(20), {"manifest.json": b"{}"})
    arrivals = collect(b, "b", 10)
    n = len(arrivals.migrants)
    b.record_outcome(
        10,
        arrivals,
        arrivals.migrants.fitness,
        displaced(b, np.zeros(9, np.float32), arrivals.migrants.fitness),
        best=9.0,
    )
    flow = read_flow(disk.shared)
    assert [(p.giver, p.taker, p.genomes, p.equal) for p in flow.passages] == [("a", "b", n, n)]
    assert flow.refusals == (Refusals("a", "b", "damaged", 1),)
    assert flow.published == {"a": 8, "b": 0}


def test_later_starts_replace_what_earlier_ones_wrote_from_there_on(shared):
    first = ledger_of(shared, "a")
    for generation in (10, 20, 30):
        import_one(first, "b", generation)
        refuse(first, "c", generation)
    second = ledger_of(shared, "a", generation=20, epoch=2)
    import_one(second, "d", 20)
    refuse(second, "c", 20, Reason.MISPLACED)
    flow = read_flow(shared)
    assert [(p.giver, p.genomes) for p in flow.passages] == [("b", 1), ("d", 1)]
    assert [(r.reason, r.times) for r in flow.refusals] == [("damaged", 1), ("misplaced", 1)]
    assert refusals_of(shared.island("a")) == {"damaged": 1, "misplaced": 1}


@pytest.mark.parametrize("torn", [b'{"kind":"imported","gen', b"\xff\xfe", b""])
def test_a_torn_last_line_is_forgiven(shared, torn):
    import_one(ledger_of(shared, "a"), "b", 10)
    with shared.island("a").ledger.open("ab") as file:
        file.write(torn)
    assert read_flow(shared).passages == (Passage("b", "a", 1, 0, 1),)
    assert read_flow(shared).unreadable_lines == {}


@pytest.mark.parametrize(
    "line", [b"\xff", b"[]", b"{}", b'{"kind":1,"generation":2}', b'{"kind":"imported"}', b"[" * 100_000, b""]
)
def test_a_line_that_says_nothing_is_counted_and_left_out(shared, line):
    ledger = ledger_of(shared, "a")
    import_one(ledger, "b", 10)
    atomic.append_lines(shared.island("a").ledger, [line])
    import_one(ledger, "b", 20)
    flow = read_flow(shared)
    assert flow.passages == (Passage("b", "a", 2, 0, 2),)
    assert flow.unreadable_lines == {"a": 1}


VALUES = st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3) | st.lists(st.integers(0, 3), max_size=2)
EVENTS = st.fixed_dictionaries(
    {"kind": st.sampled_from(["imported", "published", "refused", "start"]), "generation": st.integers(0, 9)},
    optional=dict.fromkeys(("source", "ids", "best", "fitness_here", "fitness_there", "reason", "time"), VALUES),
)


@given(st.lists(EVENTS, max_size=12))
def test_whatever_stands_in_the_fields_is_no_reason_to_fail(tmp_path_factory, events):
    shared = SharedPaths(tmp_path_factory.mktemp("shared"))
    atomic.make_directory(shared.island("a").home)
    for event in events:
        runlog.append(shared.island("a").ledger, event)
    flow = read_flow(shared)
    current = read_events(shared.island("a"))[0]
    named = [event for event in current if isinstance(event.get("source"), str)]
    assert sum(p.genomes for p in flow.passages) == sum(event["kind"] == "imported" for event in named)
    assert sum(r.times for r in flow.refusals) == sum(event["kind"] == "refused" for event in named)
    assert refusals_of(shared.island("a")).total() == sum(event["kind"] == "refused" for event in current)


def test_an_island_without_a_ledger_gave_and_took_nothing(shared):
    atomic.make_directory(shared.island("a").home)
    shared.island("a").log.touch()
    assert read_flow(shared) == Flow(("a",), {"a": 0}, (), (), {})

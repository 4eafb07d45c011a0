"""Laws of histories: every migrant is counted once and has a fate, and what was lived again replaces what it was."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll.evo import atomic, runlog
from atoll.evo.paths import SharedPaths
from atoll.evo.records import Imported, Other, Published, Refused, Start
from atoll.migration.observe import history as histories
from atoll.migration.observe.history import (
    Flow,
    Influx,
    Passage,
    Refusals,
    effective_number,
    is_torn,
    parse_records,
    pooled,
    read_flow,
    read_histories,
    read_history,
    read_lines,
    refusals_of,
)
from atoll.migration.observe.status import read_island
from atoll.migration.pool import epochs
from atoll.migration.pool.bounded_io import Reason, RefusedError, VanishedError
from atoll.migration.pool.ledger import Ledger
from tests.migration.archipelago import collect, displaced, migrants_of, number_an_epoch, write_batch
from tests.strategies import seeds

if TYPE_CHECKING:
    from pathlib import Path


@given(st.lists(st.binary(max_size=9).map(lambda text: text.replace(b"\n", b" ")), max_size=6), st.booleans())
def test_the_lines_are_the_file_and_each_is_where_it_says(tmp_path_factory, texts, is_whole):
    path = tmp_path_factory.mktemp("log") / "log"
    data = b"".join(text + b"\n" for text in texts)
    data = data if is_whole else data[:-1]
    path.write_bytes(data)
    found = list(read_lines(path))
    assert b"".join(line for _, line in found) == data
    assert all(data[start:].startswith(line) for start, line in found)
    assert [is_torn(line) for _, line in found[-1:]] in ([], [not data.endswith(b"\n")])


def test_an_endless_line_comes_in_pieces_that_are_not_torn(tmp_path, monkeypatch):
    monkeypatch.setattr(histories, "MAX_LINE_BYTES", 4)
    (tmp_path / "log").write_bytes(b"123456789\nab")
    found = list(read_lines(tmp_path / "log"))
    assert found == [(0, b"1234"), (4, b"5678"), (8, b"9\n"), (10, b"ab")]
    assert [is_torn(line) for _, line in found] == [False, False, False, True]


def test_only_a_plain_file_is_read_and_nothing_waits(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    for name in ("pipe", "link"):
        with pytest.raises(RefusedError):
            list(read_lines(tmp_path / name))
    with pytest.raises(VanishedError):
        list(read_lines(tmp_path / "gone"))


def test_a_record_has_a_kind_and_a_generation_and_all_else_is_counted():
    strange = ["-1", "true", "1.0", "null", "1" * 400]
    lines_ = [f'{{"kind":"a","generation":{text}}}\n'.encode() for text in ("7", *strange)]
    lines_ += [b'{"generation":1}\n', b"[]\n", b"nonsense\n", b"\xff\n", b"[" * 30_000]
    assert parse_records(lines_) == ([Other(generation=7, name="a", details={})], len(lines_) - 1)


# Who gave what to whom


@pytest.fixture
def shared(tmp_path):
    return SharedPaths(tmp_path)


def ledger_of(shared, name, *, generation=0, epoch=1):
    ledger = Ledger(shared.island(name))
    ledger.start(Start(epoch=epoch, generation=generation))
    return ledger


def import_one(ledger, source, generation, here=1.0, there=1.0, **more):
    passage = {"source": source, "source_generation": 1, "fitness_here": here, "fitness_there": there}
    ledger.note(Imported(generation=generation, id=f"{source}:{generation}:{here}", **passage, **more))


def publish(ledger, generation, best, n=2):
    ledger.note(Published(generation=generation, ids=("x",) * n, best=best))


def refuse(ledger, source, generation, reason=Reason.DAMAGED):
    ledger.note(Refused(generation=generation, source=source, reason=str(reason), detail=""))


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
        passages=(
            Passage("a", "b", 1, distinct=1, repeated=0, led=1, equal=0),
            Passage("b", "a", 2, distinct=2, repeated=0, led=1, equal=1),
            Passage("c", "a", 1, distinct=1, repeated=0, led=0, equal=1),
        ),
        refusals=(Refusals("a", "b", str(Reason.OVER_BUDGET), 1), Refusals("mallory", "b", "damaged", 2)),
        unreadable_lines={},
    )
    assert flow.givers == ("a", "b", "c", "mallory")
    assert read_flow(shared, ("b",)).passages == (flow.passages[0],)


def test_copies_are_counted_once_and_what_an_island_had_taken_before_is_counted_apart(shared):
    """Whoever gave it then; two that came together are copies, and neither had been here before."""
    a, b = ledger_of(shared, "a"), ledger_of(shared, "b")
    for ledger, source, generation, genome in [
        *((a, "b", 10, "x"), (a, "b", 10, "x"), (a, "b", 10, "y")),
        *((a, "c", 20, "x"), (a, "b", 20, "z"), (a, "b", 30, "y")),
        (b, "c", 30, "x"),
    ]:
        import_one(ledger, source, generation, genome_sha256=genome)
    found = {(p.giver, p.taker): (p.genomes, p.distinct, p.repeated) for p in read_flow(shared).passages}
    assert found == {("b", "a"): (5, 3, 1), ("c", "a"): (1, 1, 1), ("c", "b"): (1, 1, 0)}
    history = read_history(shared.island("a"))
    assert [fate.is_repeated for fate in history.fates] == [False, False, False, True, False, True]
    assert [(i.generation, i.taken, i.distinct, i.repeated) for i in history.influxes] == [
        *((10, 3, 2, 0), (20, 2, 2, 1), (30, 1, 1, 1))
    ]


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
    assert read_flow(shared).passages == (Passage("b", "a", 1, 1, 0, 0, 1),)
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
    assert flow.passages == (Passage("b", "a", 2, 2, 0, 0, 2),)
    assert flow.unreadable_lines == {"a": 1}


def test_an_island_without_a_ledger_gave_and_took_nothing(shared):
    atomic.make_directory(shared.island("a").home)
    shared.island("a").log.touch()
    assert read_flow(shared) == Flow(("a",), {"a": 0}, (), (), {})


def write(shared, island, lines, events=(), *, population=20):
    """Write a log whose line g has the g-th ancestry, and a ledger."""
    paths = shared.island(island)
    atomic.make_directory(paths.home)
    if not paths.epochs.exists():
        epochs.claim(paths, after=0, generation=0, target=9, population=population, task="sphere")
    for generation, ancestry in enumerate(lines):
        record = {"kind": "generation", "generation": generation, "ancestry": ancestry, "diversity": 0.5}
        runlog.append(paths.log, record)
    for event in events:
        runlog.append(paths.ledger, event)
    return paths


def imported(generation, name="b:1:0", **details):
    values = {"id": name, "source": name[0], "source_generation": 1, "fitness_here": 2.0, "ancestry": {"b": 1.0}}
    return {"kind": "imported", "generation": generation, **values, **details}


def published(generation, best=1.0):
    return {"kind": "published", "generation": generation, "best": best, "ids": ["x"]}


# The effective number of contributors


@given(st.integers(1, 30), seeds)
def test_equal_contributors_are_as_many_as_they_are_and_others_fewer(n, seed):
    assert effective_number([1 / n] * n) == pytest.approx(n)
    shares = np.random.default_rng(seed).dirichlet(np.ones(n))
    assert 1 - 1e-9 <= effective_number(list(shares)) <= n + 1e-9
    assert effective_number([*shares, 0.0]) == pytest.approx(effective_number(list(shares)))


def test_a_small_contributor_adds_little():
    assert effective_number([0.99, 0.01]) == pytest.approx(1.02, abs=0.001)


@given(st.lists(st.integers(1, 30), min_size=1, max_size=6))
def test_isolated_islands_together_have_as_many_ancestors_as_their_sizes_make(sizes):
    """Each is all its own; of equal sizes they are as many as there are islands."""
    shares = pooled([{f"i{n}": 1.0} for n in range(len(sizes))], sizes)
    assert sum(shares.values()) == pytest.approx(1)
    assert list(shares.values()) == sorted(shares.values(), reverse=True)
    assert effective_number(shares.values()) == pytest.approx(sum(sizes) ** 2 / sum(n * n for n in sizes))


def test_islands_are_pooled_by_their_numbers_of_individuals():
    assert pooled([{"a": 1.0}, {"a": 0.5, "b": 0.5}], [30, 10]) == {"a": 0.875, "b": 0.125}
    assert pooled([], []) == {}


@pytest.mark.parametrize("line", [{}, {"ancestry": 3}, {"ancestry": {"a": "x"}}, {"ancestry": {"a": 2.0}}])
def test_a_line_whose_shares_make_no_sense_has_none(shared, line):
    write(shared, "a", [])
    runlog.append(shared.island("a").log, {"kind": "generation", "generation": 0, **line})
    history = read_history(shared.island("a"))
    assert (len(history.lines), history.shares, history.last) == (1, {}, None)


# Histories


def test_the_newest_line_is_where_the_genes_come_from_now(shared):
    write(shared, "a", [{"a": 1.0}, {"a": 0.5, "b": 0.5}])
    last = read_history(shared.island("a")).last
    assert (last.generation, last.population, last.ancestry) == (1, 20, {"a": 0.5, "b": 0.5})
    assert (last.effective, last.diversity) == (2.0, 0.5)


def test_a_population_that_a_line_tells_counts_at_its_generation(shared):
    paths = write(shared, "a", [{"a": 1.0}], [published(1), imported(1), published(2), imported(2)])
    for generation, population in ((1, 40), (2, None)):
        told = {} if population is None else {"population": population}
        runlog.append(paths.log, {"kind": "generation", "generation": generation, "ancestry": {"a": 1.0}, **told})
    history = read_history(paths)
    assert [influx.rate for influx in history.influxes] == [1 / 40, 1 / 20]
    assert history.last.population == 20


def test_an_island_that_has_logged_nothing_has_no_origins(shared):
    atomic.make_directory(shared.island("a").home)
    shared.island("a").log.touch()
    [history] = read_histories(shared)
    assert (history.last, history.influxes, history.fates, history.population) == (None, (), (), None)


def test_each_migration_is_an_influx_also_where_nobody_came(shared):
    events = [published(1), published(2), imported(2), imported(2, "c:1:0"), {"kind": "refused", "generation": 2}]
    write(shared, "a", [{"a": 1.0}, {"a": 1.0}, {"a": 0.75, "b": 0.25}], events)
    assert read_history(shared.island("a")).influxes == (
        Influx("a", 1, 0, 0, 0, 0, 0.0, 0.0, 1.0),
        Influx("a", 2, 2, 2, 0, 1, 0.1, 0.25, pytest.approx(1 / 0.625)),
    )


def fate_of(shared, lines, event):
    write(shared, "a", lines, [published(event["generation"]), event])
    [fate] = read_history(shared.island("a")).fates
    return fate


B, NO_B = {"a": 0.9, "b": 0.1}, {"a": 1.0}


@pytest.mark.parametrize(
    ("lines", "until"),
    [
        ([NO_B, B, B, B], 3),
        ([NO_B, B, B, NO_B], 2),
        ([NO_B, B, NO_B, B], 1),
        ([B, NO_B, B, B], 0),
        ([NO_B, NO_B, B, B], 0),
    ],
    ids=["to the end", "two generations", "it came again later", "one", "not in the line"],
)
def test_genes_are_seen_until_the_log_has_none_of_their_ancestor(shared, lines, until):
    generation = 0 if until == 0 and lines[0] == B else 1
    fate = fate_of(shared, lines, imported(generation))
    assert fate.until == (until if lines[generation] == B else None)


def test_an_ancestor_that_had_gone_before_may_come_again(shared):
    assert fate_of(shared, [NO_B, B, NO_B, B, B], imported(3)).until == 4


def test_of_several_ancestors_the_longest_seen_counts_and_the_own_island_does_not(shared):
    lines = [{"a": 1.0}, {"a": 0.5, "b": 0.4, "c": 0.1}, {"a": 0.5, "b": 0.5}]
    both = imported(1, ancestry={"a": 0.2, "b": 0.4, "c": 0.4})
    home = imported(1, "b:1:1", ancestry={"a": 1.0})
    short = imported(1, "c:1:0", ancestry={"c": 1.0})
    unsaid = {name: value for name, value in imported(1, "d:1:0").items() if name != "ancestry"}
    write(shared, "a", lines, [both, home, short, unsaid])
    assert [fate.until for fate in read_history(shared.island("a")).fates] == [2, None, 1, None]


@pytest.mark.parametrize(
    ("details", "is_led"),
    [({"led": True}, True), ({"led": False}, False), ({}, True), ({"fitness_here": 1.0}, False)],
)
def test_who_led_is_what_the_ledger_says_or_in_older_ones_who_beat_the_best_that_left(shared, details, is_led):
    assert fate_of(shared, [NO_B, B], imported(1, **details)).is_led == is_led


def test_what_was_lived_again_replaces_what_was(shared):
    paths = write(shared, "a", [NO_B, B, B], [published(1), imported(1)])
    for path in (paths.log, paths.ledger):
        runlog.append(path, {"kind": "start", "epoch": 2, "generation": 1})
    runlog.append(paths.log, {"kind": "generation", "generation": 1, "ancestry": NO_B, "diversity": 0.5})
    history = read_history(paths)
    assert history.shares == {0: NO_B, 1: NO_B}
    assert history.fates == ()


VALUES = (
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.text(max_size=3)
    | st.lists(st.integers(0, 3), max_size=2)
    | st.just({"b": 1.0})
    | st.just({"b": -1})
)
FIELDS = (
    *("id", "ids", "source", "source_generation", "best", "fitness_here", "fitness_there"),
    *("ancestry", "led", "diversity", "reason", "time"),
)
EVENTS = st.fixed_dictionaries(
    {"kind": st.sampled_from(["imported", "published", "refused", "start"]), "generation": st.integers(0, 9)},
    optional=dict.fromkeys(FIELDS, VALUES),
)
LINES = EVENTS.map(lambda event: {**event, "kind": "generation"})


@given(st.lists(EVENTS, max_size=12), st.lists(LINES, max_size=5))
def test_whatever_stands_in_the_fields_is_no_reason_to_fail(tmp_path_factory, events, lines):
    shared = SharedPaths(tmp_path_factory.mktemp("shared"))
    paths = shared.island("a")
    atomic.make_directory(paths.home)
    paths.log.touch()
    for path, records in ((paths.ledger, events), (paths.log, lines)):
        for record in records:
            runlog.append(path, record)
    flow, [history] = read_flow(shared), read_histories(shared)
    current = runlog.current(events)
    imports, refusals = ([event for event in current if event["kind"] == kind] for kind in ("imported", "refused"))
    assert sum(p.genomes for p in flow.passages) == sum(isinstance(event.get("source"), str) for event in imports)
    assert sum(r.times for r in flow.refusals) == sum(isinstance(event.get("source"), str) for event in refusals)
    assert refusals_of(paths).total() == history.refusals.total() == len(refusals)
    assert len(history.fates) == len(imports)


# Logs as they are


def start(generation: int, epoch: int, **more: object) -> dict:
    return {"kind": "start", "generation": generation, "epoch": epoch, "started_s": 100.0 * epoch, "host": "h", **more}


def line(generation: int, **more: object) -> dict:
    values = {"best": 1.0, "median": 0.5, "champion": 1.0, "diversity": 0.2, "ancestry": {"a": 1.0}}
    return {"kind": "generation", "generation": generation, **values, "time": {"unix_s": 100.0 + generation}, **more}


def write_log(root: Path, records: list[dict]) -> None:
    home = root / "islands" / "a"
    home.mkdir(parents=True)
    (home / "log.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))


def only(root: Path):
    return read_history(SharedPaths(root).island("a"))


def test_lives_tell_a_kill_from_a_stop_and_what_was_lived_again(tmp_path):
    lines = [line(g) for g in range(8)]
    write_log(tmp_path, [start(0, 1), *lines, start(5, 2), line(5), line(6), line(7), start(7, 3), line(7), line(8)])
    history = only(tmp_path)
    assert [(life.ending, life.last, life.lost) for life in history.lives] == [
        ("killed", 7, 2),
        ("stopped", 7, 0),
        ("", 8, 0),
    ]
    assert read_island(SharedPaths(tmp_path).island("a")).condition == "stopped", "no epoch in the pool: nobody runs it"
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
    write_log(tmp_path, [start(0, 1, settings="none", host=["h"]), line(0, ancestry=[]), nonsense])
    history = only(tmp_path)
    assert history.settings == {}
    assert not history.lines[0].ancestry
    assert history.lines[1].best is history.lines[1].median is history.lines[1].unix_s is None
    assert history.lines[1].ancestry == {"x" * 999: 0.5}


def test_an_island_that_only_published_has_a_story_too(tmp_path):
    number_an_epoch(SharedPaths(tmp_path).island("a"))
    history = only(tmp_path)
    assert (history.island, history.lines, history.lives) == ("a", (), ())


def test_whether_an_arrival_led_is_what_its_ledger_says(tmp_path):
    """Where not the best leave, the best that is published says nothing of the best that lives there."""
    write_log(tmp_path, [start(0, 1), line(0)])
    arrival = {"kind": "imported", "generation": 0, "source": "b", "source_generation": 0, "fitness_here": 5.0}
    offered = {"kind": "published", "generation": 0, "best": 1.0}
    events = [offered, {**arrival, "led": False}, {**arrival, "led": True}, arrival]
    ledger = tmp_path / "islands" / "a" / "ledger.jsonl"
    ledger.write_text("".join(json.dumps(event) + "\n" for event in events))
    assert [each.led for each in only(tmp_path).arrivals] == [False, True, True]

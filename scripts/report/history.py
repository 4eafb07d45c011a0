"""What islands lived through, from their logs and ledgers: curves, starts and ends, who gave to whom.

Everything here comes from files that a crash may have cut short or a stranger may have changed: a line that cannot be
read is counted and left out, a number that is none is None, and texts are only ever shown as texts.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from atoll.evo import runlog
from atoll.migration.observe import status
from atoll.migration.observe.flow import IMPORTED, PUBLISHED, REFUSED, START, is_leader, read_events
from atoll.migration.pool.lines import finite_number, parse_records, unix_s, whole_lines

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from atoll.evo.paths import SharedPaths
    from atoll.evo.runlog import Record
    from atoll.migration.observe.status import IslandStatus

MAX_NAME = 64
FINISHED, GONE_ON, CUT_OFF = "finished", "stopped", "killed"


@dataclass(frozen=True)
class Line:
    """One generation, as logged; what is missing or no number is None."""

    generation: int
    unix_s: float | None
    best: float | None
    median: float | None
    champion: float | None
    diversity: float | None
    shares: Mapping[str, float]


@dataclass(frozen=True)
class Life:
    """One start of an island, to its end.

    Attributes:
        epoch: Which.
        generation: Where it went on from.
        last: The last generation that it logged; None if it logged none.
        began_s: Seconds since 1970, by its host's clock.
        ended_s: When it last logged something.
        ending: "killed" (generations were lost and lived again), "stopped" (the next start lost nothing), or the
            island's condition now if it is its last start.
        lost: Generations that the next start lived again.
        host: Where.
    """

    epoch: int
    generation: int
    last: int | None
    began_s: float | None
    ended_s: float | None
    ending: str
    lost: int
    host: str


@dataclass(frozen=True)
class Arrival:
    """One genome that an island took in; `has_led` says whether it was better than all who lived there."""

    generation: int
    unix_s: float | None
    giver: str
    giver_generation: int | None
    fitness: float | None
    has_led: bool


@dataclass(frozen=True)
class IslandHistory:
    """One island's story.

    Attributes:
        status: How it is now.
        lines: A line for each generation that stands.
        lives: Its starts.
        settings: What its last start logged, the task's options left out.
        options: The task's options.
        run: What else its last start logged: run id, backend and its build.
        arrivals: What it took in, as it stands.
        refusals: How often it turned something away, by reason.
        n_unreadable: Lines of its log and ledger that could not be read.
    """

    status: IslandStatus
    lines: tuple[Line, ...]
    lives: tuple[Life, ...]
    settings: Mapping[str, Any]
    options: Mapping[str, Any]
    run: Mapping[str, str]
    arrivals: tuple[Arrival, ...]
    refusals: Mapping[str, int]
    n_unreadable: int

    @property
    def name(self) -> str:
        """The island."""
        return self.status.name


def read_history(shared: SharedPaths) -> list[IslandHistory]:
    """Read every island's story, by name; without those that may not be read (`islands.unreadable_of`)."""
    return [_island(shared, row) for row in status.read_all(shared) if not row.unreadable]


def _island(shared: SharedPaths, row: IslandStatus) -> IslandHistory:
    paths = shared.island(row.name)
    records, n_unreadable = parse_records(whole_lines(paths.log))
    events, n_more = read_events(paths)
    last = next((record for record in reversed(records) if record["kind"] == START), {})
    settings = last.get("settings")
    settings = dict(settings) if isinstance(settings, dict) else {}
    options = settings.pop("options", {})
    return IslandHistory(
        status=row,
        lines=tuple(_line(record) for record in runlog.current(records) if record["kind"] == "generation"),
        lives=_lives(records, now=row.condition),
        settings=settings,
        options=options if isinstance(options, dict) else {},
        run={name: str(last[name]) for name in ("run_id", "backend", "build") if name in last},
        arrivals=_arrivals(events),
        refusals=Counter(str(record.get("reason")) for record in events if record["kind"] == REFUSED),
        n_unreadable=n_unreadable + n_more,
    )


def _line(record: Record) -> Line:
    shares = record.get("ancestry")
    named = shares.items() if isinstance(shares, dict) else ()
    parsed = {str(name)[:MAX_NAME]: finite_number(share) for name, share in named}
    return Line(
        generation=record["generation"],
        unix_s=unix_s(record),
        shares={name: share for name, share in parsed.items() if share},
        **{name: finite_number(record.get(name)) for name in ("best", "median", "champion", "diversity")},
    )


def _lives(records: Sequence[Record], *, now: str) -> tuple[Life, ...]:
    starts = [i for i, record in enumerate(records) if record["kind"] == START]
    parts = [records[first:after] for first, after in pairwise([*starts, len(records)])]
    following = [part[0] for part in parts[1:]]
    return tuple(_life(part, after, now=now) for part, after in zip(parts, [*following, None], strict=False))


def _life(records: Sequence[Record], following: Record | None, *, now: str) -> Life:
    start, lines = records[0], [record for record in records[1:] if record["kind"] == "generation"]
    last = lines[-1]["generation"] if lines else None
    reached = start["generation"] - 1 if last is None else last
    lost = max(reached - following["generation"], 0) if following else 0
    times = [time for time in map(unix_s, lines) if time is not None]
    epoch = start.get("epoch")
    return Life(
        epoch=epoch if isinstance(epoch, int) else 0,
        generation=start["generation"],
        last=last,
        began_s=finite_number(start.get("started_s")) or (times[0] if times else None),
        ended_s=times[-1] if times else None,
        ending=now if following is None else CUT_OFF if lost else GONE_ON,
        lost=lost,
        host=str(start.get("host", ""))[:MAX_NAME],
    )


def _arrivals(events: Sequence[Record]) -> tuple[Arrival, ...]:
    best = {event["generation"]: event.get("best") for event in events if event["kind"] == PUBLISHED}
    return tuple(_arrival(event, best) for event in events if event["kind"] == IMPORTED)


def _arrival(event: Record, best: Mapping[int, object]) -> Arrival:
    giver_generation = event.get("source_generation")
    return Arrival(
        generation=event["generation"],
        unix_s=unix_s(event),
        giver=str(event.get("source"))[:MAX_NAME],
        giver_generation=giver_generation if isinstance(giver_generation, int) else None,
        fitness=finite_number(event.get("fitness_here")),
        has_led=is_leader(event, best.get(event["generation"])),
    )

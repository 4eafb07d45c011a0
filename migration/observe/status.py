"""Status of islands, a row each, from their files alone: no lock is taken, nothing written and no server needed."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from itertools import takewhile
from typing import TYPE_CHECKING, Any

import psutil

from atoll.evo import records, runlog, strict_json
from atoll.evo.errors import DamagedFileError
from atoll.evo.paths import is_island_name
from atoll.evo.records import Generation, Imported, Published, Start
from atoll.migration.observe import team as teams
from atoll.migration.observe.history import effective_number
from atoll.migration.observe.team import MemberStatus, read_team
from atoll.migration.pool import epochs, islands
from atoll.migration.pool.bounded_io import RefusedError, VanishedError, directory, read_file

if TYPE_CHECKING:
    from collections.abc import Callable

    from atoll.evo.paths import IslandPaths, SharedPaths
    from atoll.evo.records import Shares
    from atoll.migration.pool.epochs import Epoch

MAX_BEAT_BYTES = 4096
SILENT_AFTER_S = 120.0
SILENT_AFTER_GENERATIONS = 3

RUNNING, FINISHED, STOPPED, ELSEWHERE, SILENT = "running", "finished", "stopped", teams.ELSEWHERE, "silent"
WAITING = "waiting"
UNREADABLE = "unreadable"
ALIVE = frozenset({RUNNING, WAITING})
ENDED = frozenset({FINISHED, STOPPED})


@dataclass(frozen=True)
class IslandStatus:
    """Status of one island, as its files say; None is what they do not say.

    Attributes:
        condition: running, waiting (running, for another member of its lockstep), finished, stopped (resumable),
            elsewhere (on another host or in another pid namespace, where nobody here can know), silent (elsewhere, and
            its beat has not changed for three of its generations of watching, two minutes at least) or unreadable.
        generation: The last one finished; `best` and `median` are of it, `champion` is the best fitness so far.
        diversity: Mean standard deviation of a gene, as a share of its range.
        distinct: Distinct genomes of its population.
        ancestry: Of which islands' founders its genes descend, and which share of them of each.
        origins: The effective number of ancestors; see `history.effective_number`.
        refused: Batches or genomes turned away.
        last_export: Generation of the last publication, as `last_import` is of the last genome taken in.
        rate_per_s: Generations per second of this epoch.
        threads: Threads of its process now, as `memory_mb` is its resident memory; None unless it runs here.
        unreadable: What of its folders may not be read, and why; nothing else is told of it then.
        last_source: Whose batch it last took from, as island:generation.
        last_source_times: How many migrations in a row that was, as far as the end of its ledger tells: more than once
            where its neighbour is dead or slow.
        team: The members of its team, those that may still score first; none if it has always been one process's.
    """

    name: str
    condition: str
    waiting_for: tuple[str, ...] = ()
    generation: int | None = None
    target: int | None = None
    best: float | None = None
    median: float | None = None
    champion: float | None = None
    diversity: float | None = None
    distinct: int | None = None
    population: int | None = None
    ancestry: Shares = field(default_factory=dict)
    origins: float | None = None
    exports: int = 0
    imports: int = 0
    refused: int = 0
    last_export: int | None = None
    last_import: int | None = None
    rate_per_s: float | None = None
    epoch: int | None = None
    host: str | None = None
    pid: int | None = None
    threads: int | None = None
    memory_mb: float | None = None
    champion_path: str | None = None
    unreadable: str | None = None
    last_source: str | None = None
    last_source_times: int = 0
    team: tuple[MemberStatus, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return the row for programs, who are told of a team where there is one."""
        told = asdict(self)
        return told if self.team else {name: value for name, value in told.items() if name != "team"}


def read_all(shared: SharedPaths) -> list[IslandStatus]:
    """Return one row per island, by name; islands that have only a private or only a published folder included.

    Of those in the pool as many are shown as islands import from, and all that have a log.
    """
    names = {*islands.started(shared), *islands.lived(shared)}
    return [read_island(shared.island(name)) for name in sorted(names)]


def read_island(paths: IslandPaths) -> IslandStatus:
    """Return the row of one island; what is no number where its log should have one is not known."""
    if why := islands.unreadable(paths):
        return IslandStatus(paths.name, UNREADABLE, unreadable=why)
    epoch = epochs.latest(paths)
    last, ledger = runlog.read_last(paths.log), runlog.read_last(paths.ledger)
    line = records.of_kind(last.get("generation"), Generation)
    start = records.of_kind(last.get("start"), Start)
    published = records.of_kind(ledger.get("published"), Published)
    imported = records.of_kind(ledger.get("imported"), Imported)
    newest = line or (None if "generation" in last else start)
    generation = newest.generation if newest else None
    condition = _condition(epoch, generation)
    ancestry = (line and line.ancestry) or {}
    waiting_for = _waiting_for(paths, epoch) if condition in {RUNNING, ELSEWHERE} and epoch else ()
    last_source, last_source_times = _last_source(paths, imported)
    threads, memory_mb = _process(epoch) if condition == RUNNING and epoch else (None, None)
    return IslandStatus(
        name=paths.name,
        condition=WAITING if waiting_for and condition == RUNNING else condition,
        waiting_for=waiting_for,
        generation=generation,
        target=epoch.target if epoch else None,
        best=line.best if line else None,
        median=line.median if line else None,
        champion=line.champion if line else None,
        diversity=line.diversity if line else None,
        distinct=line.distinct if line else None,
        population=(line and line.population) or (epoch.population if epoch else None),
        ancestry=ancestry,
        origins=effective_number(ancestry.values()) if ancestry else None,
        exports=(line and line.exports) or 0,
        imports=(line and line.imports) or 0,
        refused=(line and line.refused) or 0,
        last_export=published.generation if published else None,
        last_import=imported.generation if imported else None,
        rate_per_s=_rate(epoch, line),
        epoch=epoch.number if epoch else None,
        host=epoch.host if epoch else None,
        pid=epoch.pid if epoch else None,
        threads=threads,
        memory_mb=memory_mb,
        champion_path=str(paths.champion) if paths.champion.exists() else None,
        last_source=last_source,
        last_source_times=last_source_times,
        team=read_team(paths, epoch),
    )


class BeatWatch:
    """Watches the heartbeats of islands on other hosts over time, by the watcher's own monotonic clock alone."""

    def __init__(self, shared: SharedPaths, *, clock: Callable[[], float]) -> None:
        self._shared = shared
        self._clock = clock
        self._last: dict[str, tuple[bytes, float]] = {}

    def look(self) -> list[IslandStatus]:
        """Return one row per island; those elsewhere are running, silent, or still to be told."""
        return [self._judged(row) for row in read_all(self._shared)]

    def _judged(self, row: IslandStatus) -> IslandStatus:
        if row.condition != ELSEWHERE:
            return row
        beat, now_s = _beat(self._shared.island(row.name)), self._clock()
        if row.name not in self._last:
            self._last[row.name] = (beat, now_s)
            return row
        before, since_s = self._last[row.name]
        if beat != before:
            self._last[row.name] = (beat, now_s)
            return replace(row, condition=WAITING if row.waiting_for else RUNNING)
        return replace(row, condition=SILENT) if now_s - since_s > _patience_s(row) else row


def _patience_s(row: IslandStatus) -> float:
    """Return how long an island's beat may stay the same: it beats after each of its generations."""
    return max(SILENT_AFTER_S, SILENT_AFTER_GENERATIONS / row.rate_per_s if row.rate_per_s else 0.0)


def _condition(epoch: Epoch | None, generation: int | None) -> str:
    if epoch is None:
        return STOPPED
    if generation is not None and generation >= epoch.target:
        return FINISHED
    alive = epochs.is_alive(epoch)
    if alive is None:
        return ELSEWHERE
    return RUNNING if alive else STOPPED


def _process(epoch: Epoch) -> tuple[int | None, float | None]:
    try:
        process = psutil.Process(epoch.pid)
        return process.num_threads(), process.memory_info().rss / 1e6
    except psutil.Error:
        return None, None


def _rate(epoch: Epoch | None, line: Generation | None) -> float | None:
    if epoch is None or line is None or line.unix_s is None:
        return None
    passed_s, lived = line.unix_s - epoch.started_s, line.generation - epoch.generation
    return lived / passed_s if lived > 0 and passed_s > 0 else None


def _last_source(paths: IslandPaths, last: Imported | None) -> tuple[str | None, int]:
    """Return which batch an island last took from, and how often in a row; the ledger is read if it was again."""
    batch = _batch_of(last) if last else None
    if last is None or batch is None:
        return None, 0
    if not last.again:
        return batch, 1
    taken: dict[int, str | None] = {}
    for record in runlog.read_tail(paths.ledger):
        if isinstance(record, Imported) and record.source == last.source:
            taken[record.generation] = _batch_of(record)
    return batch, len(list(takewhile(lambda each: each == batch, reversed(taken.values()))))


def _batch_of(record: Imported) -> str | None:
    is_whole = record.source is not None and is_island_name(record.source) and record.source_generation is not None
    return f"{record.source}:{record.source_generation}" if is_whole else None


def _beat(paths: IslandPaths) -> bytes:
    try:
        with directory(paths.outbox) as descriptor:
            return read_file(descriptor, paths.beat.name, limit=MAX_BEAT_BYTES)
    except (RefusedError, VanishedError):
        return b""


def _waiting_for(paths: IslandPaths, epoch: Epoch) -> tuple[str, ...]:
    """Return whom an island says in its beat that it waits for; anything else there says nothing."""
    try:
        record = strict_json.parse(_beat(paths))
        names = record["waiting_for"] if record["nonce"] == epoch.nonce else []
        return tuple(name for name in names if is_island_name(name)) if isinstance(names, list) else ()
    except (DamagedFileError, KeyError, TypeError):
        return ()

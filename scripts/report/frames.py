"""Data frames of a run: tables of its generations, migrants, champions, genomes, settings and events, for pandas and R.

A row is one thing (Wickham 2014, "Tidy data", J. Stat. Softw. 59(10)). What a later start lived again is left out: a
generation has one row, however often an island was killed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from atoll.evo import checkpoint
from atoll.evo.errors import AtollError
from atoll.evo.records import Time, to_json
from atoll.migration.observe import history
from atoll.migration.pool import islands
from atoll.scripts.report import champion as champions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from atoll.evo.genome import GenomeSpec
    from atoll.evo.paths import SharedPaths
    from atoll.migration.observe.history import History
    from atoll.migration.pool.access import OpenPool

Cell = str | int | float | bool | None
Row = tuple[Cell, ...]

TEXT, WHOLE, NUMBER, TRUTH = "text", "int64", "float64", "bool"


class Column(NamedTuple):
    """A column: its name, its type, its unit where it has one, and what it says."""

    name: str
    kind: str
    unit: str
    says: str


@dataclass(frozen=True)
class Frame:
    """A table: its columns, and its rows as they are read."""

    columns: Sequence[Column]
    rows: Iterator[Row]


ISLAND = Column("island", TEXT, "", "the island")
GENERATION = Column("generation", WHOLE, "", "on the island's clock; the founders are 0")
ANCESTOR = "the island whose founders genes descend from"

GENERATIONS = (
    ISLAND,
    GENERATION,
    Column("best", NUMBER, "fitness", "the highest of the population"),
    Column("median", NUMBER, "fitness", "its median"),
    Column("mean", NUMBER, "fitness", "its mean"),
    Column("worst", NUMBER, "fitness", "the lowest"),
    Column("champion", NUMBER, "fitness", "the best individual that the island has seen"),
    Column("diversity", NUMBER, "", "mean standard deviation of a gene, as a share of its range"),
    Column("distinct", WHOLE, "genomes", "different ones in the population"),
    Column("population", WHOLE, "individuals", "how many live there"),
    Column("effective_ancestors", NUMBER, "islands", "contributors of equal size that would be as diverse"),
    Column("evaluations", WHOLE, "genomes", "scored since the founders, immigrants included"),
    Column("exports", WHOLE, "genomes", "published since the founders"),
    Column("imports", WHOLE, "genomes", "taken in since the founders"),
    Column("refused", WHOLE, "", "batches or genomes turned away since the founders"),
    Column("evaluate_s", NUMBER, "s", "how long the evaluation of the generation took"),
    Column("scored", WHOLE, "genomes", "that the task was asked about"),
    Column("unix_s", NUMBER, "s", "when it was logged, since 1970, by the island's host"),
)
ANCESTRY = (
    ISLAND,
    GENERATION,
    Column("ancestor", TEXT, "", ANCESTOR),
    Column("share", NUMBER, "", "its share of all genes of the population"),
)
MIGRANTS = (
    Column("island", TEXT, "", "the island that took the genome in"),
    GENERATION,
    Column("source", TEXT, "", "the island that published it"),
    Column("source_generation", WHOLE, "", "when, on that island's clock"),
    Column("id", TEXT, "", "its name: island, generation and place where it was published"),
    Column("genome_sha256", TEXT, "", "the hash of its genes; copies have the same"),
    Column("fitness_there", NUMBER, "fitness", "as its island said"),
    Column("fitness_here", NUMBER, "fitness", "as it scored where it arrived"),
    Column("led", TRUTH, "", "it was better than all who lived there"),
    Column("repeated", TRUTH, "", "the island had taken a copy in before"),
    Column("displaced", WHOLE, "", "the place that it took"),
)
CHAMPIONS = (
    ISLAND,
    Column("generation", WHOLE, "", "when it was found"),
    Column("fitness", NUMBER, "fitness", "as it was recorded"),
    Column("task", TEXT, "", "the problem"),
    Column("options", TEXT, "JSON", "the task's options"),
    Column("genes", WHOLE, "", "how many it has"),
    Column("file", TEXT, "", "where it lies"),
)
GENOMES = (
    ISLAND,
    Column("generation", WHOLE, "", "of the newest checkpoint"),
    Column("individual", WHOLE, "", "its place in the population"),
    Column("fitness", NUMBER, "fitness", "its score"),
    Column("gene ...", NUMBER, "", "a column for each gene: its segment, and its number where that has several"),
)
SETTINGS = (
    ISLAND,
    Column("name", TEXT, "", "the setting; the task's options begin with 'option.'"),
    Column("value", TEXT, "JSON", "as the island's last start logged it"),
)
EVENTS = (
    ISLAND,
    GENERATION,
    Column("kind", TEXT, "", "of the ledger's line: start, published, imported, refused, alone, waiting, pruned, ..."),
    Column("source", TEXT, "", "the other island, where it is about one"),
    Column("says", TEXT, "", "the same for people, as migration.log has it"),
    Column("record", TEXT, "JSON", "the whole line"),
    Column("unix_s", NUMBER, "s", "when it was noted, since 1970, by the island's host"),
)
COLUMNS: dict[str, Sequence[Column]] = {
    "generations": GENERATIONS,
    "ancestry": ANCESTRY,
    "migrants": MIGRANTS,
    "champions": CHAMPIONS,
    "genomes": GENOMES,
    "settings": SETTINGS,
    "events": EVENTS,
}
"""Each table by its name."""


def read(what: str, shared: SharedPaths, *, note: Callable[[str], None]) -> Frame:
    """Return one of the tables of `COLUMNS`; `note` is told in a line what of the run cannot be read.

    Raises:
        PoolMismatchError: There is no pool that describes the genomes, where they are asked for.
    """
    if what == "genomes":
        return _genomes(shared, note=note)
    if what == "champions":
        return Frame(CHAMPIONS, _champions(shared, note=note))
    return Frame(COLUMNS[what], _of_histories(_ROWS[what], shared, note=note))


def _of_histories(
    rows: Callable[[History], Iterator[Row]], shared: SharedPaths, *, note: Callable[[str], None]
) -> Iterator[Row]:
    for name in _readable(shared, note=note):
        found = history.read_history(shared.island(name))
        if found.n_unreadable:
            note(f"{name}: {found.n_unreadable} lines of its log and ledger cannot be read, and are left out")
        yield from rows(found)


def _readable(shared: SharedPaths, *, note: Callable[[str], None]) -> list[str]:
    """Return the islands that have a log and may be read, by name."""
    names = islands.lived(shared)
    closed = islands.unreadable_of(shared, names)
    for name, why in closed.items():
        note(f"{name} is left out: {why}")
    return [name for name in sorted(names) if name not in closed]


def _generations(found: History) -> Iterator[Row]:
    for line in found.lines:
        effective = history.effective_number(line.ancestry.values()) if line.ancestry else None
        time = line.time or Time()
        yield (
            *(found.island, line.generation, line.best, line.median, line.mean, line.worst, line.champion),
            *(line.diversity, line.distinct, line.population or found.population, effective),
            *(line.evaluations, line.exports, line.imports, line.refused),
            *(time.evaluate_s, time.scored, line.unix_s),
        )


def _ancestry(found: History) -> Iterator[Row]:
    for generation, shares in found.shares.items():
        for name, share in sorted(shares.items()):
            yield found.island, generation, name, share


def _migrants(found: History) -> Iterator[Row]:
    for event, fate in zip(found.arrivals, found.fates, strict=True):
        yield (
            *(found.island, event.generation, event.source, event.source_generation, event.id, event.genome_sha256),
            *(event.fitness_there, event.fitness_here, event.led, fate.is_repeated, event.displaced),
        )


def _settings(found: History) -> Iterator[Row]:
    for name, value in sorted(found.settings.items()):
        yield found.island, name, _json(value)
    for name, value in sorted(found.options.items()):
        yield found.island, f"option.{name}", _json(value)


def _events(found: History) -> Iterator[Row]:
    for event in found.events:
        kind = getattr(event, "name", None) or str(event.__struct_config__.tag)
        source = getattr(event, "source", None)
        yield found.island, event.generation, kind, source, str(event), _json(to_json(event)), event.unix_s


_ROWS: dict[str, Callable[[History], Iterator[Row]]] = {
    "generations": _generations,
    "ancestry": _ancestry,
    "migrants": _migrants,
    "settings": _settings,
    "events": _events,
}


def _champions(shared: SharedPaths, *, note: Callable[[str], None]) -> Iterator[Row]:
    found, notes = champions.read_all(shared, _readable(shared, note=note))
    for text in notes:
        note(text)
    for name, each in found.items():
        task, options = str(each.task["name"]), _json(dict(each.task["options"]))
        file = str(shared.island(name).champion)
        yield name, each.generation, each.fitness, task, options, int(each.genome.size), file


def _genomes(shared: SharedPaths, *, note: Callable[[str], None]) -> Frame:
    from atoll.migration.pool.access import open_pool  # noqa: PLC0415 - only who asks for genomes needs their layout

    pool: OpenPool = open_pool(shared)
    genes = [Column(name, NUMBER, "", "") for name in gene_names(pool.spec)]
    return Frame((*GENOMES[:-1], *genes), _individuals(shared, pool.spec.size, note=note))


def _individuals(shared: SharedPaths, size: int, *, note: Callable[[str], None]) -> Iterator[Row]:
    for name in _readable(shared, note=note):
        try:
            kept = checkpoint.load_newest(shared.island(name))
        except AtollError as error:
            note(f"the population of {name}: {error}")
            continue
        if kept is None:
            note(f"the population of {name}: there is no checkpoint yet")
            continue
        state = kept.state
        if state.population.genes.shape[1] != size:
            note(f"the population of {name}: {state.population.genes.shape[1]} genes, the pool says {size}")
            continue
        for n, (genes, fitness) in enumerate(zip(state.population.genes.tolist(), state.fitness.tolist(), strict=True)):
            yield name, state.generation, n, fitness, *genes


def gene_names(spec: GenomeSpec) -> list[str]:
    """Return a name for each gene: that of its segment, with its number where the segment has several."""
    return [
        segment.name if segment.size == 1 else f"{segment.name}.{n}"
        for segment in spec.segments
        for n in range(segment.size)
    ]


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True)

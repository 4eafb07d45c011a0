"""Replays of whole populations, of a run that kept only its newest ones: differentiation and ancestors over time.

Each island is replayed in memory with the imports of its inbox, which gives the same populations bit for bit, and every
generation is held against its log. Every so many generations the islands are compared: F_ST between their whole
populations, and where all their genes come from. Each such generation is a row; `relive plot` draws rows of several
runs beside each other.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from atoll.evo import ancestry, atomic, runlog
from atoll.evo.diversity import fixation_index
from atoll.evo.errors import ConfigError, ReplayError
from atoll.evo.island import evolve
from atoll.evo.paths import SharedPaths
from atoll.evo.recorder import MemoryRecorder
from atoll.evo.tasks.loader import load_task, recorded_options
from atoll.migration.exchange.exchange import Journal, ReplayExchange
from atoll.migration.observe.history import effective_number, pooled
from atoll.migration.pool import identity as pool
from atoll.migration.pool.batch import Publisher
from atoll.migration.pool.bounded_io import islands_in
from atoll.migration.pool.mailbox import MemoryMailbox
from atoll.scripts.lab.kit.study import AT_LEAST_1, DEFAULTS_SHOWN, in_order, out_option, read_rows
from atoll.scripts.run.archipelago import RUN_ID, NoNotes
from atoll.scripts.run.recording import read, replay_config

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from matplotlib.figure import Figure

    from atoll.evo.generation import State
    from atoll.evo.genome import Floats, GenomeSpec
    from atoll.evo.records import Shares
    from atoll.evo.runlog import Record
    from atoll.scripts.run.recording import Recording


@dataclass
class Census:
    """Genes of an island every so many generations, each of which is held against the recording.

    Attributes:
        genes: Generation -> genes [P, D].
        shares: Generation -> ancestor -> its share of them.
    """

    recording: Recording
    every: int
    genes: dict[int, Floats] = field(default_factory=dict)
    shares: dict[int, Shares] = field(default_factory=dict)

    def note(self, state: State) -> None:
        """Count, if it is time to.

        Raises:
            ReplayError: It is not what was recorded.
        """
        g, found = state.generation, ancestry.shares(state.population)
        recorded = self.recording.lines[g]
        if (float(state.fitness.max()), found) != (recorded["best"], recorded["ancestry"]):
            raise ReplayError(f"{self.recording.island} lived again differs from its log at generation {g}")
        if g % self.every == 0:
            self.genes[g], self.shares[g] = state.population.genes, found


@click.group(context_settings=DEFAULTS_SHOWN)
def main() -> None:
    """Follow whole populations through a run that has ended."""


@main.command("run")
@click.argument("root", metavar="[DIR]", type=click.Path(path_type=Path), default=Path("shared"))
@click.option("--every", default=10, type=click.IntRange(1), help="Generations between two rows.")
@click.option("--workers", default=1, type=AT_LEAST_1, help="Processes to use.")
@click.option("--label", help="What a figure calls this run; the directory's name if left out.")
@out_option("bench/relive.jsonl")
def run(*, root: Path, every: int, workers: int, label: str | None, out: Path) -> None:
    """Replay a recorded run of a built-in task, and write how its whole populations differed over time."""
    pool.check_directory(SharedPaths(root))
    rows = [{"run": label or root.name, **row} for row in relive(SharedPaths(root), every=every, workers=workers)]
    atomic.make_directory(out.parent)
    runlog.append_all(out, rows)
    for row in rows:
        f_st = "none" if row["f_st"] is None else f"{row['f_st']:.3f}"
        click.echo(f"gen {row['generation']}: F_ST {f_st}, {row['origins']:.2f} ancestors of {row['islands']} islands")


@main.command("plot")
@click.argument("rows", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("-o", "--output", "out", required=True, type=click.Path(path_type=Path), help="A .png or .svg file.")
def plot(rows: tuple[Path, ...], out: Path) -> None:
    """Draw F_ST between whole populations and the effective number of ancestors over time, a curve for each run."""
    write_populations([row for path in rows for row in read_rows(path)], out)


def relive(shared: SharedPaths, *, every: int, workers: int) -> Iterator[Record]:
    """Replay every island; return a row for each generation that was counted on all of them.

    Raises:
        ConfigError: There is no island, or their task is a program, which only its user can say to run.
        ReplayError: An island is not what its log says.
    """
    homes = [shared.island(name).home for name in islands_in(shared.homes)]
    if not homes:
        raise ConfigError(f"{shared.root} holds no island; name the directory that --migration-dir named")
    found = []
    for island in in_order([partial(replayed, home, every=every) for home in homes], workers=workers):
        found.append(island)
        click.echo(f"{island[0].recording.island} lived again, as it was", err=True)
    return compare([census for census, _ in found], found[0][1])


def compare(censuses: list[Census], spec: GenomeSpec) -> Iterator[Record]:
    """Yield a row for each generation that was counted on all islands."""
    for g in sorted(set.intersection(*(set(census.genes) for census in censuses))):
        genes = [census.genes[g] for census in censuses]
        shares = pooled([census.shares[g] for census in censuses], [len(each) for each in genes])
        yield {
            "generation": g,
            "islands": len(genes),
            "f_st": fixation_index(genes, spec),
            "origins": effective_number(shares.values()),
            "largest_share": max(shares.values()),
            "within": float(np.mean([census.recording.lines[g]["diversity"] for census in censuses])),
        }


def replayed(home: Path, *, every: int) -> tuple[Census, GenomeSpec]:
    """Replay one island from its private folder, and count it."""
    recording = read(home)
    config = replay_config(recording.island, {"replay_from": str(home)}, {})
    task = load_task(config.task, recorded_options(config.task, dict(config.options)), backend=recording.backend)
    exchange = ReplayExchange(
        config.island,
        spec=task.spec,
        migration=config.migration,
        mailbox=MemoryMailbox({}, Publisher(RUN_ID, config.island, 1, config.island, task.spec)),
        ledger=NoNotes(),
        seen={},
        journal=Journal(recording.files, recording.exports),
    )
    census = Census(recording, every)
    recorder = MemoryRecorder(census.note)
    evolve(config, task, exchange=exchange, recorder=recorder, resumed=None, is_stopping=lambda: False)
    return census, task.spec


def write_populations(rows: Sequence[Record], out: Path) -> None:
    """Draw rows as a figure, a curve for each run: differentiation, and the number of ancestors."""
    from atoll.scripts.report.style import check_format, write_figure  # noqa: PLC0415 - matplotlib takes half a second

    check_format(out)
    if not rows:
        raise ConfigError("there are no rows to draw; 'python -m scripts.lab relive run DIR' makes them")
    write_figure(lambda figure: _paint(figure, rows), out)


def _paint(figure: Figure, rows: Sequence[Record]) -> None:
    from atoll.scripts.report.style import COLOURS, COLUMN_INCHES, DASHES  # noqa: PLC0415 - see above

    figure.set_size_inches(COLUMN_INCHES, 1.15 * COLUMN_INCHES)
    above, below = figure.subplots(2, 1, sharex=True)
    for i, run in enumerate(dict.fromkeys(row["run"] for row in rows)):
        own = sorted((row for row in rows if row["run"] == run), key=lambda row: row["generation"])
        style: Any = {"color": COLOURS[i % len(COLOURS)], "ls": DASHES[i // len(COLOURS) % len(DASHES)], "label": run}
        x = [row["generation"] for row in own]
        above.plot(x, [np.nan if row["f_st"] is None else row["f_st"] for row in own], marker="o", ms=2.5, **style)
        below.plot(x, [row["origins"] for row in own], marker="o", ms=2.5, **style)
    above.set(ylabel="F_ST, whole populations", ylim=(0, 1.02))
    below.set(xlabel="generation", ylabel="effective ancestors", ylim=(0, None))
    below.axhline(1.0, color="0.7", lw=0.5, zorder=0)
    above.legend(frameon=False)

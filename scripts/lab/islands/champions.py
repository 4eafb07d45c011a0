"""Audit the champions of a run: `python -m scripts.lab champions [SHARED]`.

Each island's champion is walked over 40 courses that it was not trained on; each is a row, written as soon as it is
known. With `--pictures FOLDER` each also walks on one of them for a contact sheet, so that somebody looks.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from atoll.evo import atomic, runlog
from atoll.evo.errors import AtollError
from atoll.evo.paths import SharedPaths
from atoll.evo.tasks.creatures import course
from atoll.evo.tasks.creatures.audit import examine
from atoll.evo.tasks.creatures.recording import record
from atoll.scripts.lab.kit.machine import describe
from atoll.scripts.report.champion import creatures_of, read
from atoll.scripts.report.pictures import write_sheet

if TYPE_CHECKING:
    from atoll.evo.genome import Floats
    from atoll.evo.tasks.creatures.task import Creatures


@click.command()
@click.argument("shared", type=click.Path(path_type=Path, exists=True, file_okay=False), default=Path("shared"))
@click.option("--pictures", type=click.Path(path_type=Path), help="Draw each champion's walk into this folder.")
@click.option("--out", default=Path("bench/champions.jsonl"), show_default=True, type=click.Path(path_type=Path))
def main(shared: Path, pictures: Path | None, out: Path) -> None:
    """Audit every island's champion on unseen courses."""
    homes = sorted(path for path in SharedPaths(shared).homes.glob("*") if path.is_dir())
    atomic.make_directory(out.parent)
    rows = []
    for name in (home.name for home in homes):
        try:
            creatures, genome, fitness = load(SharedPaths(shared).island(name).champion)
        except AtollError as error:
            raise click.ClickException(f"{name} has no champion of creatures to audit: {error}") from error
        audit = examine(creatures, genome)
        rows.append({"island": name, "fitness": fitness, **asdict(audit), "is_sound": audit.is_sound})
        runlog.append(out, {**rows[-1], "options": dict(creatures.options), **describe()})
        click.echo(
            f"{name}: {fitness:.1f}; {audit.unseen_pellets:.2f} pellets unseen, node {audit.max_node_m_s:.1f} m/s"
        )
        if pictures is not None:
            atomic.make_directory(pictures)
            film = record(creatures, genome, course_number=course.UNSEEN)
            write_sheet(film, pictures / f"{name}.png", title=f"{name}: {fitness:.0f} points, an unseen course")
    if not rows:
        raise click.ClickException(f"{shared} holds no island; name the directory that --migration-dir named")
    for column in ("fitness", "unseen_pellets", "max_node_m_s", "max_stretch", "airborne_share", "retained_share"):
        low, middle, high = np.percentile([row[column] for row in rows], [0, 50, 100])
        click.echo(f"{column}: median {middle:.3g} ({low:.3g} to {high:.3g})")
    click.echo(f"sound: {sum(row['is_sound'] for row in rows)} of {len(rows)}")


def load(path: Path) -> tuple[Creatures, Floats, float]:
    """Read a champion: the task it was found for, its genome [D] and its fitness.

    Raises:
        ConfigError: It is a champion of another task, or of another version's bodies.
        DamagedFileError: The file is no champion, or damaged.
        StorageError: It cannot be read.
    """
    champion = read(path)
    return creatures_of(champion), champion.genome, champion.fitness

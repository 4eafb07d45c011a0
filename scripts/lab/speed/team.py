"""Teams beside one process: whole processes that live one island, how fast they are, and whether bytes are equal.

A round lives the island once as one process does, and once with a team of each size, forwards and backwards by turns.
Seconds of a generation are those between two lines of its log, from generation 2 on: generation 0 waits until all
members are there (`waiting.meet`), and generation 1 is cut by what that took.

    efficiency(N) = T_1 / (N * T_N)       T_1: seconds of a generation of one process, T_N: of a team of N
    expected T_N  = makespan + o_N        makespan: of its shares, scheduled on N members as they become free
                                          o_N: what a request costs, the median of T_N - makespan over all lengths
"""

from __future__ import annotations

import hashlib
import heapq
import math
import statistics
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from atoll.evo import atomic, runlog
from atoll.evo.paths import SharedPaths
from atoll.migration.team.files import TeamFiles
from atoll.migration.team.member import LEAST_SHARE_S
from atoll.migration.team.shares import cut
from atoll.scripts.lab.kit import markdown, rows
from atoll.scripts.lab.kit.study import DEFAULTS_SHOWN, chosen, quick_option, tables_option
from atoll.scripts.lab.speed import waiting
from atoll.scripts.lab.speed.island import run_together
from atoll.scripts.lab.speed.rounds import Case, Figure, Table, by_round, measure, ratios, values

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from atoll.scripts.lab.kit.rows import Row, Run
    from atoll.scripts.lab.speed.rounds import Round

BENCH = "team"
ISLAND = "brain"
FIRST = 2
"""The generation whose line in the log begins what is measured."""
ALONE = 0
"""Members of an island that one process lives without a team."""
TASKS = Path(waiting.__file__)


@dataclass(frozen=True)
class Work:
    """An island that is lived by one process and by teams.

    Attributes:
        name: What its rows are known by.
        task: The task, and its options.
        generations: The last one.
        members: Sizes of its teams.
        rounds: How often all are measured; teams of more than `FEW` only the first `few_rounds` times.
        each_s: Seconds that a genome is known to take; None: it is not known.
    """

    name: str
    task: str
    options: tuple[str, ...]
    population: int
    generations: int
    members: tuple[int, ...]
    rounds: int
    few_rounds: int = 0
    each_s: float | None = None


FEW = 16


def sleeping(generation_s: float, *, generations: int, rounds: int, few_rounds: int, population: int = 256) -> Work:
    """Return an island whose generation one process evaluates in `generation_s`, asleep."""
    each_s = generation_s / population
    return Work(
        name=f"sleeping {generation_s:g} s",
        task=f"{TASKS}:Sleeping",
        options=(f"each_s={each_s}",),
        population=population,
        generations=generations,
        members=(1, 2, 4, 16, 64),
        rounds=rounds,
        few_rounds=few_rounds,
        each_s=each_s,
    )


CREATURES = Work("creatures", "creatures", ("courses=8",), 1000, generations=22, members=(2,), rounds=10)
HASHING = Work("hashing", f"{TASKS}:Hashing", (), 16, generations=6, members=(2,), rounds=10)
WORKS = (
    sleeping(0.01, generations=102, rounds=10, few_rounds=3),
    sleeping(0.1, generations=22, rounds=10, few_rounds=3),
    sleeping(1.0, generations=6, rounds=5, few_rounds=3),
    sleeping(10.0, generations=3, rounds=2, few_rounds=2),
    CREATURES,
    HASHING,
)


def _quick(work: Work) -> Work:
    """Return a work of the same kind that is over in a few seconds."""
    options: tuple[str, ...]
    each_s: float | None
    if work.each_s is not None:
        options, each_s = ("each_s=0.002",), 0.002
    else:
        options, each_s = {"creatures": ("courses=1", "life_s=0.2"), "hashing": ("hashes=1000",)}[work.name], None
    members = work.members[: FEW.bit_length() // 2]
    return replace(work, options=options, each_s=each_s, population=16, generations=4, members=members, rounds=1)


def cases(works: Sequence[Work], place: Path) -> list[Case]:
    """Return a case for each work: one process and teams, one after another."""
    return [Case(_Turns(work, place).measure, work.rounds) for work in works]


@dataclass
class _Turns:
    """The turns of a work: in every other one the order is the opposite."""

    work: Work
    place: Path
    n: int = 0

    def measure(self) -> Iterator[Row]:
        self.n += 1
        sizes = [ALONE, *(n for n in self.work.members if n <= FEW or self.n <= self.work.few_rounds)]
        for members in sizes[:: 1 if self.n % 2 else -1]:
            yield live(self.work, members, self.place)


def live(work: Work, members: int, place: Path) -> Row:
    """Live the island of a work with so many members, and return the row.

    Every run has the same arguments but for its size: the folder in which members meet is part of a task's settings.
    """
    meeting = place / "meeting"
    with tempfile.TemporaryDirectory(dir=place) as folder:
        root = Path(folder) / "shared"
        atomic.make_directory(meeting)
        for file in meeting.iterdir():
            file.unlink()
        (meeting / waiting.EXPECTED).write_text(str(max(members, 1)))
        ended = run_together([_arguments(work, members, root, meeting)] * max(members, 1), sample_s=None)
        paths = SharedPaths(root).island(ISLAND)
        lines = [line for line in runlog.read(paths.log) if line["kind"] == "generation"]
        files = [paths.champion, *sorted(paths.checkpoints.iterdir())]
        digest = hashlib.sha256(b"".join(hashlib.sha256(file.read_bytes()).digest() for file in files))
        present = TeamFiles(paths.home).members()
    at_s = [line["time"]["unix_s"] for line in lines[FIRST:]]
    began = min(each.started_unix_s for each in ended)
    return {
        "work": work.name,
        "members": members,
        **{name: value for name, value in asdict(work).items() if name in {"population", "generations", "each_s"}},
        "generation_s": (at_s[-1] - at_s[0]) / (len(at_s) - 1),
        "scored": sum(line["time"]["scored"] for line in lines[FIRST + 1 :]) / (len(at_s) - 1),
        "wall_s": max(each.started_unix_s - began + each.wall_s for each in ended),
        "cpu_s": sum(each.cpu_s for each in ended),
        "start_cpu_s": waiting.start_cpu_s(meeting),
        "shares": sum(each.shares for each in present),
        "taken_over": sum(each.taken_over for each in present),
        "duplicates": sum(each.duplicates for each in present),
        "bytes": digest.hexdigest()[:16],
    }


def _arguments(work: Work, members: int, root: Path, meeting: Path) -> list[str]:
    options = [*work.options, *([f"meeting={meeting}"] if work.each_s is not None else [])]
    sizes = ["-p", str(work.population), "-g", str(work.generations), "--seed", "1", "--migration-dir", str(root)]
    team = ["--team", str(members)] if members else []
    task = ["--task", work.task, *(text for option in options for text in ("-o", option))]
    return ["cli.py", "evolve", ISLAND, *task, *sizes, *team]


def makespan_s(genomes: int, members: int, *, each_s: float) -> float:
    """Return when the last of a generation's shares is scored, if each goes to whoever is free first."""
    free_s = [0.0] * members
    for share in cut(genomes, members, least=math.ceil(LEAST_SHARE_S / each_s)):
        heapq.heapreplace(free_s, free_s[0] + share.n * each_s)
    return max(free_s)


def overheads(run: Run) -> dict[str, dict[int, list[float]]]:
    """Return what a request costs in each sleeping row, T_N - makespan [s], by work and members; one process has 0."""
    found: dict[str, dict[int, list[float]]] = {}
    for row in run.rows:
        if row["each_s"] is not None:
            least_s = makespan_s(round(row["scored"]), max(row["members"], 1), each_s=row["each_s"])
            by_members = found.setdefault(row["work"], {})
            by_members.setdefault(row["members"], []).append(row["generation_s"] - least_s)
    return found


def tables(run: Run) -> dict[str, str]:
    """Derive the pages of tables, by name."""
    rounds = by_round(run.rows, "work", "members")
    names = list(dict.fromkeys(row["work"] for row in run.rows))
    order = [work.name for work in WORKS if work.name in names]
    asleep = [name for name in order if any(row["work"] == name and row["each_s"] is not None for row in run.rows)]
    two_cores = [Table(name, beside_one(rounds, name)).markdown() for name in order if name not in asleep]
    pages = {
        "efficiency": [_efficiencies(run, rounds, asleep)],
        "cost": [_costs(run, asleep), _processor(rounds, asleep)],
        "processors": [
            *two_cores,
            Table("Bytes", [Figure("part of the teams' runs with equal bytes", _equal(rounds))]).markdown(),
        ],
    }
    return {name: "\n\n".join([run.provenance, *filter(None, parts)]) for name, parts in pages.items() if any(parts)}


def beside_one(rounds: Sequence[Round], name: str) -> list[Figure]:
    """Return how many times as fast teams are that fill processors."""
    one = (name, ALONE)
    figures = [Figure("one process: a generation (s)", values(rounds, one, _generation_s))]
    for key in sorted({key for each in rounds for key in each if key[0] == name and key != one}):
        size = f"a team of {key[1]}"
        at_least = {"creatures": 1.8, "hashing": 1.9}.get(name) if key[1] == 2 else None
        figures += [
            Figure(f"{size}: times as many generations in a second", ratios(rounds, one, key, _generation_s), at_least),
            Figure(f"{size}: times as fast from exec to exit", ratios(rounds, one, key, lambda row: row["wall_s"])),
            Figure(f"{size}: processor time / that of one", ratios(rounds, key, one, lambda row: row["cpu_s"])),
        ]
    return figures


def _efficiencies(run: Run, rounds: Sequence[Round], names: Sequence[str]) -> str:
    """Show efficiency beside what the model expects."""
    costs = overheads(run)
    sizes = _sizes(run, names)
    o_s = {n: statistics.median([s for name in names for s in costs[name].get(n, [])]) for n in (ALONE, *sizes)}
    lines = []
    for name in names:
        row = next(row for row in run.rows if row["work"] == name)
        for n in sizes:
            found = [ratio / n for ratio in ratios(rounds, (name, ALONE), (name, n), _generation_s)]
            if not found:
                continue
            scored, each_s = round(row["scored"]), row["each_s"]
            one_s = makespan_s(scored, 1, each_s=each_s) + o_s[ALONE]
            model = one_s / (n * (makespan_s(scored, n, each_s=each_s) + o_s[n]))
            spread = f"{min(found):.2f} to {max(found):.2f}"
            median = statistics.median(found)
            lines.append((name, n, f"{n * median:.1f}", f"{median:.2f}", spread, len(found), f"{model:.2f}"))
    headings = ("work", "members", "times as fast", "efficiency", "min to max", "n", "model")
    return markdown.Grid("Efficiency of a team", headings, lines).markdown()


def _costs(run: Run, names: Sequence[str]) -> str:
    """Show what a request costs, T_N - makespan, which the model takes for the same at all lengths."""
    costs = overheads(run)
    sizes = [ALONE, *_sizes(run, names)]
    lines = [
        (name, *(f"{1000 * statistics.median(costs[name][n]):.1f}" if n in costs[name] else "" for n in sizes))
        for name in names
    ]
    every = {n: [s for name in names for s in costs[name].get(n, [])] for n in sizes}
    lines.append(("all", *(f"{1000 * statistics.median(every[n]):.1f}" for n in sizes)))
    headings = ("work", "one process", *(f"team of {n}" for n in sizes[1:]))
    return markdown.Grid("A generation beyond its sleep (ms, medians)", headings, lines if names else []).markdown()


def _processor(rounds: Sequence[Round], names: Sequence[str]) -> str:
    """Show the processor time of all members, their starts included."""
    sizes = sorted({key[1] for each in rounds for key in each if key[0] in names})
    lines = [
        (name, *(_median(values(rounds, (name, n), lambda row: row["cpu_s"] / max(row["members"], 1))) for n in sizes))
        for name in names
    ]
    headings = ("work", *(f"team of {n}" if n else "one process" for n in sizes))
    return markdown.Grid("Processor time of each process, its start included (s, medians)", headings, lines).markdown()


def _equal(rounds: Sequence[Round]) -> list[float]:
    """Return for each team's run whether its champion and checkpoints had the bytes of one process's of that round."""
    pairs = [(row, each.get((row["work"], ALONE))) for each in rounds for row in each.values() if row["members"]]
    return [float(row["bytes"] == one["bytes"]) for row, one in pairs if one]


def _sizes(run: Run, names: Sequence[str]) -> list[int]:
    return sorted({row["members"] for row in run.rows if row["members"] and row["work"] in names})


def _median(found: Sequence[float]) -> str:
    return f"{statistics.median(found):.2f}" if found else ""


def _generation_s(row: Row) -> float:
    return float(row["generation_s"])


@click.command(context_settings=DEFAULTS_SHOWN)
@click.argument("names", nargs=-1)
@quick_option
@click.option("--out", default=Path("bench"), type=click.Path(path_type=Path), help="Where the rows go.")
@click.option(
    "--table",
    "kept",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Only print these rows' tables.",
)
@tables_option
def main(*, names: tuple[str, ...], quick: bool, out: Path, kept: Path | None, tables_folder: Path | None) -> None:
    """Live an island as one process and as teams of 1 to 64, and compare time and bytes; NAMES of works, or all."""
    if kept is None:
        known = chosen(names, [work.name for work in WORKS], kind="work")
        works = [_quick(work) if quick else work for work in WORKS if work.name in known]
        written = rows.Rows(out, BENCH, {"first": FIRST})
        with tempfile.TemporaryDirectory() as place:
            measure(cases(works, Path(place)), rounds=max(work.rounds for work in works), write=written.write)
    for run in rows.newest(run for run in rows.read(kept or out) if run.bench == BENCH):
        found = tables(run)
        click.echo("\n\n".join(found.values()))
        if tables_folder:
            markdown.write_tables(tables_folder, found)

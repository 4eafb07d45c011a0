"""Readers at work among strangers' files, in a process whose memory is limited; what they made of it goes to a file."""

from __future__ import annotations

import json
import os
import resource
import shutil
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from atoll.evo.paths import GENOMES, MANIFEST, SharedPaths, is_island_name
from atoll.migration.observe import history, status
from atoll.migration.observe.verify import verify
from atoll.migration.pool import batch, islands
from atoll.migration.pool.bounded_io import MAX_ISLANDS, NO_MEMORY, RefusedError, VanishedError
from atoll.migration.pool.locks import Locks
from tests.faults import strangers
from tests.faults.strangers import Stranger
from tests.migration.archipelago import RUN_ID, SPEC, OnDisk, collect, migrants_of, number_an_epoch, write_batch
from tests.scripts.run.island_process import Job, perform

if TYPE_CHECKING:
    from collections.abc import Callable

EXTRA_BYTES = 72 * 1024 * 1024
"""What reading may take beyond what the process has: a file of 16 MiB in its several forms; 56 MiB suffice here."""


@dataclass
class Outcome:
    """What readers made of strangers' files.

    Attributes:
        cases: How many were tried.
        refused: How many were refused, by reason.
        accepted: Those that were let in.
        wrong: Whatever happened that must not.
    """

    cases: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    accepted: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


def at_work(group: str, place: Path, extra_bytes: int, options: dict[str, Any]) -> None:
    """Do one group of cases under a limit of memory, and write the outcome."""
    limit_memory(extra_bytes)
    outcome = Outcome()
    GROUPS[group](outcome, place, **options)
    (place / "outcome.json").write_text(json.dumps(vars(outcome)))


def limit_memory(extra_bytes: int) -> None:
    """Allow this process no more address space than it has, and so many bytes."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    limit = pages * resource.getpagesize() + extra_bytes
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def judge(outcome: Outcome, name: str, read: Callable[[], batch.Batch]) -> None:
    """Read one case; count a refusal, note an acceptance, and hold what was accepted against what genomes must be."""
    outcome.cases += 1
    try:
        found = read()
    except RefusedError as error:
        outcome.refused[str(error.reason)] += 1
        if NO_MEMORY in error.detail:
            outcome.wrong.append(f"{name}: it took too much memory")
    except VanishedError:
        outcome.refused["vanished"] += 1
    except Exception as error:
        outcome.wrong.append(f"{name}: {error!r}")
    else:
        outcome.accepted.append(name)
        if not sound(found):
            outcome.wrong.append(f"{name}: unsound genomes were accepted")


def sound(found: batch.Batch) -> bool:
    """Say whether a batch is what every island may rely on, judged without the code that let it in."""
    genes, painted = found.migrants.population.genes, found.migrants.population.ancestry
    return bool(
        1 <= len(genes) <= 64
        and genes.shape == painted.shape == (len(found.migrants.ids), SPEC.size)
        and np.isfinite(genes).all()
        and (genes >= SPEC.low).all()
        and (genes <= SPEC.high).all()
        and (painted < len(found.migrants.population.islands)).all()
        and np.isfinite(found.migrants.fitness).all()
        and all(name.isprintable() for name in found.migrants.ids)
    )


def read_from(folder: Path) -> Callable[[], batch.Batch]:
    """Return what reads a batch that lies where one of island m's at generation 10 does."""
    return lambda: batch.read(folder, run_id=RUN_ID, spec=SPEC, island="m", generation=10)


def truncations(outcome: Outcome, place: Path) -> None:
    """Row 21: one manifest and one genome file, cut at every byte."""
    for name in (MANIFEST, GENOMES):
        folder = write_batch(place / "m" / "gen-10", Stranger("m").batch())
        for n in reversed(range((folder / name).stat().st_size)):
            os.truncate(folder / name, n)
            judge(outcome, f"{name} cut at {n}", read_from(folder))


def mutations(outcome: Outcome, place: Path, *, seed: int, n: int) -> None:
    """Row 21: both files of a batch with something changed; none may be accepted."""
    rng = np.random.default_rng([21, seed])
    good = Stranger("m").batch()
    folder = write_batch(place / "m" / "gen-10", good)
    for i in range(n):
        name = (MANIFEST, GENOMES)[i % 2]
        (folder / name).write_bytes(strangers.mutant(good[name], rng))
        judge(outcome, f"{name}, mutation {i} of seed {seed}", read_from(folder))
        (folder / name).write_bytes(good[name])


def signed_mutations(outcome: Outcome, place: Path, *, seed: int, n: int) -> None:
    """Row 23: batches with something changed and every hash in order; what is accepted is sound."""
    rng = np.random.default_rng([23, seed])
    for i in range(n):
        folder = write_batch(place / "m" / "gen-10", strangers.signed_mutant(Stranger("m"), rng))
        judge(outcome, f"signed mutation {i} of seed {seed}", read_from(folder))


def lies(outcome: Outcome, place: Path) -> None:
    """Row 23: hostile JSON and hostile arrays, which another process has written: making them takes memory too."""
    for folder in sorted((place / "lies").iterdir()):
        judge(outcome, (folder / "name").read_text(), read_from(folder / "m" / "gen-10"))


def impostures(outcome: Outcome, place: Path) -> None:
    """Row 24: whole batches of something else."""
    for name, pretend in strangers.IMPOSTURES.items():
        judge(outcome, name, read_from(write_batch(place / "m" / "gen-10", pretend(Stranger("m")))))


def nodes(outcome: Outcome, place: Path, *, kinds: str) -> None:
    """Row 22: every kind of node in every place of a pool where a file or folder belongs; one import looks at each."""
    outside = write_batch(place / "outside", Stranger("m").batch())
    planted = strangers.nodes(outside) if kinds == "nodes" else strangers.DEVICES
    for name, plant in planted.items():
        for where in ("manifest", "genomes", "batch", "island", "prune lock", "owner lock", "epochs", "beat"):
            disk = OnDisk(place / "shared")
            mailbox = disk.mailbox("a")
            paths = disk.paths("m")
            spots = {
                "manifest": paths.publication(10) / MANIFEST,
                "genomes": paths.publication(10) / GENOMES,
                "batch": paths.publication(10),
                "island": paths.outbox,
                "prune lock": paths.prune_lock,
                "owner lock": paths.owner_lock,
                "epochs": paths.epochs,
                "beat": paths.beat,
            }
            whole = Stranger("m").batch()
            if where != "island":
                write_batch(paths.publication(10), {} if where == "batch" else whole)
            if where not in {"island", "epochs"}:
                number_an_epoch(paths)
            _put(spots[where], plant)
            _look(outcome, f"{name} as {where}", disk, mailbox)
            shutil.rmtree(disk.root)


def _put(spot: Path, plant: Callable[[Path], None]) -> None:
    if spot.is_dir():
        spot.rmdir()
    spot.unlink(missing_ok=True)
    plant(spot)


def _look(outcome: Outcome, name: str, disk: OnDisk, mailbox: Any) -> None:
    """Import from all peers, and let the observers look."""
    outcome.cases += 1
    try:
        for peer in mailbox.peers():
            found, refusals = mailbox.newest(peer, seen={})
            outcome.refused.update(refusal.reason for refusal in refusals)
            if found is not None:
                outcome.accepted.append(name)
        status.read_all(disk.shared)
        islands.read_owners(disk.shared, Locks("flock"))
        islands.read_owners(disk.shared, Locks("soft"))
    except Exception as error:
        outcome.wrong.append(f"{name}: {error!r}")


def names(outcome: Outcome, place: Path) -> None:
    """Row 22: names that are none, among islands and among batches; the honest island is heard all the same."""
    disk = OnDisk(place / "shared")
    honest = disk.island("honest")
    honest.publish(10, migrants_of("honest", 10))
    mailbox = disk.mailbox("a")
    for folder in (disk.shared.pool, disk.paths("honest").outbox):
        for name in strangers.NAMES:
            if folder == disk.shared.pool and is_island_name(os.fsdecode(name)):
                continue
            os.mkdir(os.path.join(os.fsencode(folder), name))  # noqa: PTH102, PTH118 - names that no text spells
            outcome.cases += 1
    peers = mailbox.peers()
    if peers != ("honest",):
        outcome.wrong.append(f"taken for islands: {peers}")
    _look(outcome, "names", disk, mailbox)
    found = collect(disk.island("a"), "a", 10)
    if not len(found.migrants):
        outcome.wrong.append("the honest island was not heard")


def crowd(outcome: Outcome, place: Path, *, n: int) -> None:
    """Row 22: as many entries as there may be in an island's folder, and a share of it in the pool and among starts."""
    disk = OnDisk(place / "shared")
    mailbox = disk.mailbox("a")
    epoch = disk.epoch("m")
    for i in range(n):
        (disk.paths("m").outbox / f"gen-{i}").touch()
    for i in range(n // 5):
        (disk.shared.pool / f"island{i}").mkdir()
        (disk.paths("m").epochs / f"{i + 2}.json").touch()
    outcome.cases = n + 2 * (n // 5)
    if len(mailbox.peers()) > MAX_ISLANDS:
        outcome.wrong.append(f"{len(mailbox.peers())} islands")
    found, refusals = mailbox.newest("m", seen={})
    outcome.refused.update(refusal.reason for refusal in refusals)
    if found or len(refusals) > 3:
        outcome.wrong.append(f"{len(refusals)} tries for one island")
    if disk.epoch("m").number <= epoch.number:
        outcome.wrong.append("an old number was taken again")
    if len(status.read_all(disk.shared)) > MAX_ISLANDS + 1:
        outcome.wrong.append("more islands are shown than are imported from")


def replays(outcome: Outcome, place: Path) -> None:
    """Row 24: batches that were seen before, put back in the place of newer ones, or under newer names."""
    disk = OnDisk(place / "shared")
    stranger, a = disk.paths("m"), disk.mailbox("a")
    seen: dict[str, tuple[int, int]] = {}
    for generation in (10, 20):
        write_batch(stranger.publication(generation), Stranger("m", generation=generation).batch(epoch=2))
        found, _ = a.newest("m", seen=seen)
        seen["m"] = (found.manifest.epoch, found.manifest.generation)
    same, refusals = a.newest("m", seen=seen)
    if same is None or refusals:
        outcome.wrong.append("the newest batch may be drawn from again, and is the same one")
    for name, generation, files in (
        ("an older one when the newer has gone", 10, Stranger("m").batch(epoch=2)),
        ("an older start's with a higher number", 30, Stranger("m", generation=30).batch(epoch=1)),
        ("a copy under a newer name", 30, Stranger("m", generation=20).batch(epoch=2)),
    ):
        shutil.rmtree(stranger.outbox)
        write_batch(stranger.publication(generation), files)
        outcome.cases += 1
        found, refusals = a.newest("m", seen=seen)
        outcome.refused.update(refusal.reason for refusal in refusals)
        if found is not None:
            outcome.wrong.append(f"{name} was accepted")


def island(outcome: Outcome, place: Path, *, values: dict[str, Any]) -> None:
    """Live an island's whole life among strangers."""
    outcome.cases = 1
    code = perform(Job(place / "shared", "a", values))
    if code:
        outcome.wrong.append(f"the island ended with code {code}")


def observers(outcome: Outcome, place: Path) -> None:
    """Look at a pool of strangers in every way there is."""
    shared = SharedPaths(place / "shared")
    found = verify(shared)
    outcome.refused["defects"] = len(found.defects)
    status.read_all(shared)
    history.read_flow(shared)
    islands.read_owners(shared, Locks("soft"))
    outcome.cases = 4


GROUPS = {
    each.__name__: each
    for each in (
        *(truncations, mutations, signed_mutations, lies, impostures, nodes, names, crowd, replays),
        *(island, observers),
    )
}

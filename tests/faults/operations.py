"""What islands do to files, one operation at a time: the state before, the deed, what must hold after, and recovery."""

from __future__ import annotations

import contextlib
import hashlib
import io
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from evo import atomic, checkpoint, runlog
from evo.config import Migration
from evo.errors import AtollError
from evo.paths import SharedPaths
from evo.rng import streams
from migration import batch, epochs, inbox, pool
from migration.batch import Publisher
from migration.directory import directory_exchange
from migration.ledger import Ledger
from migration.mailbox import DirectoryMailbox
from migration.untrusted import RefusedError
from migration.verify import verify
from tests.faults.samples import SEED, SPEC, TASK, checkpoint_of
from tests.migration.archipelago import migrants_of
from tests.scripts.evolve.island_process import Job, outcome, perform

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from migration.epochs import Epoch
    from migration.exchange import Exchange


class World:
    """An archipelago on disk with an island `a`, which the operation belongs to, and a peer `b`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.shared = SharedPaths(root)
        self.a = self.shared.island("a")

    def join(self) -> None:
        """Make the pool."""
        pool.join(self.shared, seed=SEED, task=TASK)

    def claim(self, island: str = "a", generation: int = 0) -> Epoch:
        paths = self.shared.island(island)
        after = epochs.latest_number(paths)
        return epochs.claim(paths, after=after, generation=generation, target=99, population=9, task="sphere")

    def newest_epoch(self, island: str = "a") -> Epoch:
        epoch = epochs.latest(self.shared.island(island))
        assert epoch is not None, "the record of the newest epoch has gone"
        return epoch

    def publisher(self, epoch: Epoch, island: str = "a") -> Publisher:
        identity = pool.read(self.shared)
        assert identity is not None
        return Publisher(identity.run_id, island, epoch.number, epoch.nonce, SPEC)

    def mailbox(self, epoch: Epoch, island: str = "a", *, lock_class: str = "flock") -> DirectoryMailbox:
        return DirectoryMailbox(
            self.shared,
            self.shared.island(island),
            publisher=self.publisher(epoch, island),
            epoch=epoch,
            lock_class=lock_class,
            durable=True,
        )

    def exchange(self, epoch: Epoch, island: str = "a", **migration: object) -> Exchange:
        ledger = Ledger(self.shared.island(island))
        ledger.start({"epoch": epoch.number, "generation": epoch.generation})
        return directory_exchange(
            self.shared,
            self.shared.island(island),
            publisher=self.publisher(epoch, island),
            epoch=epoch,
            lock_class="flock",
            migration=Migration(durability="power", **migration),
            ledger=ledger,
        )

    def publish(self, island: str, *generations: int) -> None:
        """Publish as an earlier start of an island."""
        mailbox = self.mailbox(self.claim(island), island)
        for generation in generations:
            mailbox.publish(generation, migrants_of(island, generation, spec=SPEC))

    def published(self, island: str = "a") -> dict[int, bool]:
        """Return an island's visible generations, and whether each is whole and as it was meant."""
        paths = self.shared.island(island)
        found = {}
        for path in paths.outbox.glob("gen-*"):
            generation = int(path.name[4:])
            read = partial(batch.read, run_id=self.publisher(self.newest_epoch(island)).run_id, spec=SPEC)
            whole = read(path, island=island, generation=generation).migrants
            expected = migrants_of(island, generation, spec=SPEC)
            found[generation] = bool(np.array_equal(whole.population.genes, expected.population.genes))
        return found

    def leftovers(self) -> list[str]:
        return [str(p.relative_to(self.root)) for p in self.root.rglob(".t*") if {".tmp-", ".tras"} & {p.name[:5]}]


class Operation:
    """One thing that an island does to files.

    `prepare` makes the state before; `ready` returns the deed, everything in memory being done; the deed returns a text
    when it succeeds and raises one of `refusals` when it does not; `check` holds the files against what that promised;
    `recover` does what the next start does, and returns what must then be the same whatever had happened.
    """

    name = ""
    refusals: tuple[type[Exception], ...] = (OSError, AtollError, RefusedError)
    goes_on = False
    """Whether the deed may succeed though a part of it could not be done."""

    def prepare(self, world: World) -> None:
        raise NotImplementedError

    def ready(self, world: World) -> Callable[[], str]:
        raise NotImplementedError

    def check(self, world: World, acknowledged: str | None) -> None:
        raise NotImplementedError

    def check_damaged(self, world: World) -> None:
        """Hold the files against what a damaged one may do: nothing, to anybody."""
        raise NotImplementedError

    def check_pruned(self, world: World, acknowledged: str | None) -> None:
        """Hold the files against what may come of a peer that pruned in the middle: fewer, but whole."""
        raise NotImplementedError

    def recover(self, world: World) -> object:
        raise NotImplementedError

    def outcome(self, world: World) -> object:
        """Return what must also be the same after a kill, though not after an error: those may cost an exchange."""


class Publish(Operation):
    name = "publish"

    def prepare(self, world):
        world.join()
        world.publish("a", 10)

    def ready(self, world):
        mailbox, emigrants = world.mailbox(world.newest_epoch()), migrants_of("a", 20, spec=SPEC)
        return lambda: str(mailbox.publish(20, emigrants))

    def check(self, world, acknowledged):
        found = world.published()
        assert found in ({10: True}, {10: True, 20: True})
        assert acknowledged is None or 20 in found, "an acknowledged publication is lost"
        seen, refusals = world.mailbox(world.claim("b"), "b").newest("a", seen={})
        assert seen is not None
        assert (seen.manifest.generation, refusals) == (max(found), [])

    def check_damaged(self, world):
        seen, refusals = world.mailbox(world.claim("b"), "b").newest("a", seen={})
        assert seen is not None
        assert seen.manifest.generation == 10
        assert [(refusal.generation, refusal.reason) for refusal in refusals] == [(20, "damaged")]

    def recover(self, world):
        mailbox = world.mailbox(world.claim())
        mailbox.mend()
        mailbox.publish(20, migrants_of("a", 20, spec=SPEC))
        return world.published(), world.leftovers()


class Import(Operation):
    name = "import"

    def prepare(self, world):
        world.join()
        world.publish("b", 10, 20)
        world.claim()
        atomic.make_directory(world.a.home)

    def ready(self, world):
        exchange = world.exchange(world.newest_epoch())

        def deed():
            arrivals = exchange.collect(20, known=("a",), streams=streams(SEED, "a", 20))
            return hashlib.sha256(inbox.encode(20, arrivals)).hexdigest()

        return deed

    def check(self, world, acknowledged):
        assert world.published("b") == {10: True, 20: True}, "a peer's folder was changed"
        kept = inbox.load(world.a, 20)
        if acknowledged is not None:
            assert kept is not None, "an import was used before it was kept"
            assert hashlib.sha256(inbox.encode(20, kept)).hexdigest() == acknowledged
        if kept is not None:
            offered = [migrants_of("b", g, spec=SPEC).population.genes for g in (10, 20)]
            known = {row.tobytes() for genes in offered for row in genes}
            assert {row.tobytes() for row in kept.migrants.population.genes} <= known, "a partial import"

    def check_pruned(self, world, acknowledged):
        kept = inbox.load(world.a, 20)
        assert kept is not None
        assert hashlib.sha256(inbox.encode(20, kept)).hexdigest() == acknowledged
        assert kept.refusals == (), "what was pruned is no defect"
        offered = [migrants_of("b", g, spec=SPEC).population.genes for g in (10, 20, 30, 40, 50)]
        known = {row.tobytes() for genes in offered for row in genes}
        assert {row.tobytes() for row in kept.migrants.population.genes} <= known, "a partial import"

    def recover(self, world):
        kept = inbox.load(world.a, 20)
        for path in (world.a.home, world.a.inboxes):
            atomic.clear_leftovers(path)
        exchange = world.exchange(world.claim())
        arrivals = exchange.collect(20, known=("a",), streams=streams(SEED, "a", 20))
        runlog.read(world.a.ledger)
        is_same = kept is None or inbox.encode(20, kept) == inbox.encode(20, arrivals)
        return is_same, inbox.load(world.a, 20) is not None, world.leftovers()


class Checkpoint(Operation):
    name = "checkpoint"

    def prepare(self, world):
        for generation in (2, 4):
            checkpoint.save(world.a, checkpoint_of(generation))

    def ready(self, world):
        newest = checkpoint_of(6)
        return lambda: str(checkpoint.save(world.a, newest))

    def check(self, world, acknowledged):
        newest = checkpoint.load_newest(world.a)
        assert newest is not None
        generation = newest.state.generation
        assert generation in {4, 6}
        assert acknowledged is None or generation == 6, "an acknowledged checkpoint is lost"
        assert checkpoint.encode(newest) == checkpoint.encode(checkpoint_of(generation))

    def check_damaged(self, world):
        newest = checkpoint.load_newest(world.a)
        assert newest is not None
        assert checkpoint.encode(newest) == checkpoint.encode(checkpoint_of(4))

    def recover(self, world):
        atomic.clear_leftovers(world.a.checkpoints)
        checkpoint.save(world.a, checkpoint_of(6))
        return sorted(path.name for path in world.a.checkpoints.iterdir())


class Prune(Operation):
    name = "prune"

    def prepare(self, world):
        world.join()
        world.publish("a", 1, 2, 3, 4, 5)

    def ready(self, world):
        mailbox = world.mailbox(world.newest_epoch())
        return lambda: str(mailbox.prune(3))

    def check(self, world, acknowledged):
        found = world.published()
        assert all(found.values())
        assert {3, 4, 5} <= found.keys() <= {1, 2, 3, 4, 5}, "another batch than the oldest has gone"
        assert acknowledged is None or found.keys() == {3, 4, 5}

    def recover(self, world):
        mailbox = world.mailbox(world.claim())
        mailbox.mend()
        mailbox.prune(3)
        return world.published(), world.leftovers()


class Claim(Operation):
    name = "claim"

    def prepare(self, world):
        world.join()
        world.claim()

    def ready(self, world):
        return lambda: world.claim().nonce

    def check(self, world, acknowledged):
        names = sorted(path.name for path in world.a.epochs.iterdir() if not path.name.startswith("."))
        assert names in (["1.json"], ["1.json", "2.json"])
        newest = world.newest_epoch()
        assert newest.number == len(names), "a record that is visible is not whole"
        assert acknowledged in {None, newest.nonce}, "an acknowledged claim is lost"

    def recover(self, world):
        before = world.newest_epoch().number
        atomic.clear_leftovers(world.a.epochs)
        return world.claim().number - before, world.newest_epoch().number - before, world.leftovers()


class Start(Operation):
    """A whole start: join, own, resume, claim, evolve over two migrations with pruning, end."""

    name = "start"
    refusals = (AtollError,)
    goes_on = True
    values: ClassVar = {
        "generations": 4,
        "migrate_every": 2,
        "checkpoint_every": 3,
        "durability": "power",
        "keep_generations": 3,
    }

    def prepare(self, world):
        assert self._live(world, "b") == 0

    def ready(self, world):
        return lambda: _succeed(self._live(world, "a"))

    def check(self, world, acknowledged):
        found = verify(world.shared)
        alone = [d for d in found.defects if d.reason == "no island has ever started here"]
        assert list(found.defects) == alone, f"defects in the pool: {found.defects}"
        checkpoint.load_newest(world.a)
        for record in runlog.current(runlog.read(world.a.ledger)):
            if record["kind"] == "published":
                assert world.a.publication(record["generation"]).is_dir(), "an acknowledged publication is lost"
        if acknowledged is not None:
            assert runlog.read(world.a.log)[-1]["generation"] == 4

    def recover(self, world):
        code = self._live(world, "a")
        whole = self.outcome(world)
        return code, [record["generation"] for record in whole["log"]], whole["leftovers"]

    def outcome(self, world):
        return outcome(world.root)

    def _live(self, world: World, island: str) -> int:
        with contextlib.redirect_stdout(io.StringIO()) as said:
            code = perform(Job(world.root, island, self.values))
        return code if code == 0 or "Error: " in said.getvalue() else 99


class FirstStart(Start):
    """The first start of all, which makes the pool."""

    name = "first start"
    values: ClassVar = {**Start.values, "generations": 2}

    def prepare(self, world):
        world.root.mkdir(exist_ok=True)

    def check(self, world, acknowledged):
        if pool.read(world.shared) is not None:
            found = verify(world.shared)
            assert {d.reason for d in found.defects} <= {"no island has ever started here"}
        assert acknowledged is None or runlog.read(world.a.log)[-1]["generation"] == 2

    def outcome(self, world):
        """Each first start makes a run of its own, whose name is in all that it publishes."""
        return {name: value for name, value in super().outcome(world).items() if name != "published"}


OPERATIONS: tuple[Operation, ...] = (Publish(), Import(), Checkpoint(), Prune(), Claim(), Start(), FirstStart())


def publish_on_and_prune(root: Path) -> None:
    """Do as the peer does in the middle of an import: publish on, and prune what was there, whatever the lock says."""
    world = World(root)
    mailbox = world.mailbox(world.newest_epoch("b"), "b", lock_class="soft")
    for generation in (30, 40, 50):
        mailbox.publish(generation, migrants_of("b", generation, spec=SPEC))
    mailbox.prune(3)


def operation_called(name: str) -> Operation:
    """Return one of them."""
    return next(operation for operation in OPERATIONS if operation.name == name)


def _succeed(code: int) -> str:
    if code:
        raise AtollError(f"exit code {code}") if code != 99 else RuntimeError("an unexplained exit code")
    return "done"

"""What islands do to files, one operation at a time: the state before, the deed, what must hold after, and recovery."""

from __future__ import annotations

import contextlib
import hashlib
import io
import itertools
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from atoll.evo import atomic, checkpoint, runlog
from atoll.evo.errors import AtollError
from atoll.evo.rng import streams
from atoll.evo.turns import Request as Asked
from atoll.migration.observe.verify import verify
from atoll.migration.pool import identity as pool
from atoll.migration.pool import inbox
from atoll.migration.pool.bounded_io import RefusedError
from atoll.migration.team import member as members
from atoll.migration.team.files import TeamFiles, request_name
from atoll.migration.team.member import Ending, Member, Team
from atoll.migration.team.records import Now, Request
from atoll.migration.team.shares import Share, cut, request_key, rows_sha256
from tests.faults.samples import SEED, SPEC, SPHERE, checkpoint_of
from tests.faults.world import World
from tests.migration.archipelago import migrants_of, nobody_from
from tests.scripts.run.island_process import Job, outcome, perform

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from atoll.evo.genome import Floats
    from atoll.migration.observe.verify import Defect

ASKED = Asked(SPHERE, SPEC.sample(np.random.default_rng(1), 9), generation=7, episode=7)
EXPECTED = SPHERE.evaluate(ASKED.genes, ASKED.episode)
"""What a team is asked to score, and what one process scores."""


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
    is_team = False
    """Whether it is counted in the rows of a team."""

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
            arrivals = exchange.collect(20, residents=nobody_from("a"), streams=streams(SEED, "a", 20))
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
        arrivals = exchange.collect(20, residents=nobody_from("a"), streams=streams(SEED, "a", 20))
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
        defects = [each for each in verify(world.shared).defects if not _is_harmless(each)]
        assert not defects, f"defects in the pool: {defects}"
        checkpoint.load_newest(world.a)
        for record in runlog.current(runlog.read(world.a.ledger)):
            if record["kind"] == "published":
                assert world.a.publication(record["generation"]).is_dir(), "an acknowledged publication is lost"
        if acknowledged is not None:
            assert runlog.read(world.a.log)[-1]["generation"] == self.values["generations"]

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
            assert all(map(_is_harmless, verify(world.shared).defects))
        assert acknowledged is None or runlog.read(world.a.log)[-1]["generation"] == self.values["generations"]

    def outcome(self, world):
        """Each first start makes a run of its own, whose name is in all that it publishes."""
        return {name: value for name, value in super().outcome(world).items() if name != "published"}


class TeamRequest(Operation):
    """An owner asks its team for scores, scores all shares itself, gathers them and tidies up."""

    name = "team request"
    is_team = True

    def prepare(self, world):
        atomic.make_directory(world.a.home)

    def ready(self, world):
        member = self._member(world)
        return lambda: _digest(member.evaluate(ASKED))

    def check(self, world, acknowledged):
        assert acknowledged in {None, _digest(EXPECTED)}, "other scores than those of one process"
        for share, scores in self._scores(world).items():
            assert scores is not None, f"scores of share {share} that are visible are not whole"

    def check_damaged(self, world):
        """What can be read is right, and the rest is refused."""
        self._scores(world)

    def recover(self, world):
        files = TeamFiles(world.a.home)
        files.clear_leftovers()
        told = _digest(self._member(world).evaluate(ASKED))
        names = sorted(path.name for path in files.folder.glob("gen-*/[!c.]*"))
        leftovers = [name for name in world.leftovers() if "/team/gen-" not in name]
        return told, names, len(files.history()) > 0, leftovers

    def outcome(self, world):
        return {share: scores.tobytes() for share, scores in self._scores(world).items()}

    def _member(self, world: World) -> Member:
        """Return a member that waits for nothing: its clock goes on while it sleeps."""
        clock = itertools.count()
        return Member(TeamFiles(world.a.home), Team(2), say=id, clock=lambda: float(next(clock)), sleep=id)

    def _scores(self, world: World) -> dict[int, Floats | None]:
        """Return what each share is said to score, if that can be read, and see that it does."""
        files, found = TeamFiles(world.a.home), {}
        for name in files.requests_of(ASKED.generation):
            request = files.read_request(name)
            assert request is not None, "a request that is visible is not whole"
            for n in files.look(name, len(request.shares)).scored:
                share = Share(*request.shares[n])
                try:
                    scores = files.read_scores(name, n, n=share.n, rows_sha256=rows_sha256(ASKED.genes, share))
                except RefusedError:
                    found[n] = None
                    continue
                assert np.array_equal(scores.fitness, EXPECTED[share.first : share.end]), "wrong scores"
                found[n] = scores.fitness
        return found


class TeamShare(TeamRequest):
    """A member scores shares of what an owner asks for."""

    name = "team share"

    def prepare(self, world):
        files, shares = TeamFiles(world.a.home), cut(len(EXPECTED), 2, least=len(EXPECTED))
        key = request_key([rows_sha256(ASKED.genes, share) for share in shares], episode=ASKED.episode)
        rows = [(share.first, share.end, share.copy) for share in shares]
        n, size = ASKED.genes.shape
        request = Request(ASKED.generation, ASKED.episode, genomes=n, genes=size, shares=rows)
        files.open(request_name(ASKED.generation, key), request, ASKED.genes)
        files.announce(Now(request_name(ASKED.generation, key)))

    def ready(self, world):
        member = self._member(world)
        return lambda: str(member.help(SPHERE, is_ownerless=lambda: True, check=lambda: None))

    def check(self, world, acknowledged):
        assert acknowledged in {None, str(Ending.OWNERLESS)}
        super().check(world, None)


class TeamStart(Start):
    """A whole start of an island whose owner asks for the scores of every generation by its team's files."""

    name = "team start"
    is_team = True
    values: ClassVar = {**Start.values, "generations": 2}

    def _live(self, world: World, island: str) -> int:
        members.WORTH_S = 0.0
        with contextlib.redirect_stdout(io.StringIO()) as said:
            code = perform(Job(world.root, island, self.values, team=2))
        return code if code == 0 or "Error: " in said.getvalue() else 99


OPERATIONS: tuple[Operation, ...] = (
    *(Publish(), Import(), Checkpoint(), Prune(), Claim(), Start(), FirstStart()),
    *(TeamRequest(), TeamShare(), TeamStart()),
)


def _is_harmless(defect: Defect) -> bool:
    """Say whether it is a start that did not come so far, or a beat, which nothing syncs and the next one replaces."""
    return defect.reason == "no island has ever started here" or defect.path.endswith("beat.json")


def publish_on_and_prune(root: Path) -> None:
    """Do as the peer does in the middle of an import: publish on, and prune what was there, whatever the lock says."""
    world = World(root)
    mailbox = world.mailbox(world.newest_epoch("b"), "b", lock_class="soft")
    for generation in (30, 40, 50):
        mailbox.publish(generation, migrants_of("b", generation, spec=SPEC))
    mailbox.prune(3)


def _digest(scores: Floats) -> str:
    return hashlib.sha256(scores.tobytes()).hexdigest()


def operation_called(name: str) -> Operation:
    """Return one of them."""
    return next(operation for operation in OPERATIONS if operation.name == name)


def _succeed(code: int) -> str:
    if code:
        raise AtollError(f"exit code {code}") if code != 99 else RuntimeError("an unexplained exit code")
    return "done"

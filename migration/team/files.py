"""Files of a team, in the island's private folder; scores are checked for damage, and trusted as members' own.

    team/now.json                       what is asked for now
    team/gen-<n>-<key>/request.json     a request for scores, and how it is shared
                       genes.f32        the genomes, float32 [P, D]; removed once all have scores
                       claim-<i>-<k>    who scores share i; the k-th to say so, since others died or were too slow
                       scores-<i>       the scores of share i, once: whoever comes first
    team/members/<member>.json          a member's presence
    team.jsonl                          who scored what

A request is named by the hash of its genomes, its episode and its shares. So scores that lie there are those of these
genomes, whoever asked for them, and an owner that goes on from an older checkpoint finds what was scored before.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from atoll.evo import arrayfile, atomic, runlog
from atoll.evo.errors import DamagedFileError
from atoll.evo.paths import CLAIM_NAME, REQUEST, REQUEST_GENES, REQUEST_NAME, SCORES_NAME, PrivateFiles
from atoll.migration.pool.bounded_io import Reason, RefusedError, VanishedError, directory, list_names, read_file
from atoll.migration.team.presence import MAX_RECORD_BYTES, read_members
from atoll.migration.team.records import Holder, Now, Request, decode, encode

if TYPE_CHECKING:
    from pathlib import Path

    from atoll.evo.genome import Floats
    from atoll.migration.team.records import Presence, Scored
    from atoll.migration.team.shares import Share

MAX_SCORES_BYTES = 1 << 26
FORMAT = 1


class Listing(NamedTuple):
    """What lies in a request's folder: which shares have scores, and how often each was claimed."""

    scored: frozenset[int]
    claims: dict[int, int]


class Scores(NamedTuple):
    """The scores of a share, float32 [n], and who computed them from which genomes."""

    fitness: Floats
    member: str
    rows_sha256: str


@dataclass(frozen=True)
class TeamFiles:
    """The files of the team of the island whose private folder is `home`; errors are OSError unless said."""

    home: Path

    @cached_property
    def paths(self) -> PrivateFiles:
        """The names of all files of the island."""
        return PrivateFiles(self.home)

    @property
    def folder(self) -> Path:
        """Where requests lie, and what is asked for now."""
        return self.paths.team

    @property
    def log(self) -> Path:
        """Who scored what, a line for each request."""
        return self.paths.team_log

    def announce(self, now: Now) -> None:
        """Say what is asked for now."""
        atomic.make_directory(self.folder, durable=False)
        atomic.replace_file(self.paths.team_now, encode(now), durable=False)

    def now(self) -> Now:
        """Return what is asked for now: nothing, where nobody has said so yet, or what lies there is damaged."""
        try:
            return decode(_read(self.folder, self.paths.team_now.name, limit=MAX_RECORD_BYTES), Now)
        except (RefusedError, VanishedError, DamagedFileError):
            return Now()

    def open(self, name: str, request: Request, genes: Floats) -> None:
        """Put a request there, unless it is there: its genes too, as long as a share has no scores."""
        place = self.folder / name
        files = {REQUEST_GENES: np.ascontiguousarray(genes, dtype="<f4").tobytes(), REQUEST: encode(request)}
        if not place.is_dir():
            atomic.make_directory(self.folder, durable=False)
            try:
                atomic.create_directory(place, files, tag=name, durable=False)
            except OSError:  # where it is there, another owner did it, or this one did and the reply got lost
                if not (place / REQUEST).exists():
                    raise
        for file in (each for each in files if not (place / each).exists()):
            atomic.replace_file(place / file, files[file], durable=False)

    def requests_of(self, generation: int) -> list[str]:
        """Return the names of the requests on a generation's way."""
        return [name for name in list_names(self.folder) if name.startswith(f"gen-{generation}-")]

    def read_request(self, name: str) -> Request | None:
        """Return a request; None if it has gone, or is none."""
        if not REQUEST_NAME.fullmatch(name):
            return None
        try:
            return decode(_read(self.folder / name, REQUEST, limit=MAX_RECORD_BYTES), Request)
        except (RefusedError, VanishedError, DamagedFileError):
            return None

    def read_rows(self, name: str, share: Share, genes: int) -> Floats | None:
        """Return the genomes of a share, float32 [n, D]; None if they have gone, since all are scored, or are torn."""
        n_bytes = 4 * genes
        try:
            with (self.folder / name / REQUEST_GENES).open("rb") as file:
                file.seek(share.first * n_bytes)
                data = file.read(share.n * n_bytes)
        except FileNotFoundError:
            return None
        is_whole = len(data) == share.n * n_bytes
        return np.frombuffer(data, dtype="<f4").reshape(share.n, genes) if is_whole else None

    def look(self, name: str, n_shares: int) -> Listing:
        """Return what lies in the folder of a request of so many shares; scores of no share of it are nobody's."""
        names = list_names(self.folder / name)
        claims: dict[int, int] = {}
        for match in filter(None, map(CLAIM_NAME.fullmatch, names)):
            share, nth = int(match[1]), int(match[2])
            claims[share] = max(claims.get(share, 0), nth)
        scored = {int(match[1]) for match in filter(None, map(SCORES_NAME.fullmatch, names))}
        return Listing(frozenset(scored.intersection(range(n_shares))), claims)

    def claim(self, name: str, share: int, nth: int, holder: Holder) -> bool:
        """Claim a share as the `nth`; False if another did, or the request has gone."""
        try:
            return atomic.create_file(self.folder / name / f"claim-{share}-{nth}", encode(holder), durable=False)
        except FileNotFoundError:
            return False

    def claimant(self, name: str, share: int, nth: int) -> Holder | None:
        """Return who claimed a share as the `nth`; None if nobody can say."""
        try:
            return decode(_read(self.folder / name, f"claim-{share}-{nth}", limit=MAX_RECORD_BYTES), Holder)
        except (RefusedError, VanishedError, DamagedFileError):
            return None

    def put_scores(self, name: str, share: int, scores: Scores) -> bool:
        """Put the scores of a share there; False if another's are, or the request has gone."""
        metadata = {"format": FORMAT, "kind": "scores", "member": scores.member, "rows_sha256": scores.rows_sha256}
        data = arrayfile.encode({"fitness": scores.fitness}, metadata)
        try:
            return atomic.create_file(self.folder / name / f"scores-{share}", data, durable=False)
        except FileNotFoundError:
            return False

    def read_scores(self, name: str, share: int, *, n: int, rows_sha256: str) -> Scores:
        """Return the scores of a share of `n` genomes whose hash is `rows_sha256`.

        Raises:
            RefusedError: They are torn, damaged, of other genomes, or no finite numbers.
            VanishedError: There are none.
            OSError: They cannot be read, now: to score them again would help nobody.
        """
        try:
            data = _read(self.folder / name, f"scores-{share}", limit=MAX_SCORES_BYTES)
        except RefusedError as error:
            if error.reason is Reason.UNREADABLE:
                raise OSError(f"scores-{share} of {name} cannot be read: {error.detail}") from error
            raise
        try:
            arrays, metadata = arrayfile.decode(data)
        except DamagedFileError as error:
            raise RefusedError(Reason.DAMAGED, str(error)) from error
        fitness, member, rows = arrays.get("fitness"), metadata.get("member"), metadata.get("rows_sha256")
        if (metadata.get("kind"), metadata.get("format")) != ("scores", FORMAT) or not isinstance(member, str):
            raise RefusedError(Reason.DAMAGED, f"expected scores of format {FORMAT}, got {metadata.get('kind')!r}")
        if fitness is None or fitness.dtype != np.float32 or fitness.shape != (n,) or not np.isfinite(fitness).all():
            raise RefusedError(Reason.DAMAGED, f"expected {n} finite float32 scores")
        if rows != rows_sha256:
            raise RefusedError(Reason.MISPLACED, "scores of other genomes")
        return Scores(fitness, member, rows_sha256)

    def drop_scores(self, name: str, share: int) -> None:
        """Remove the scores of a share, so that it is scored again."""
        atomic.remove_file(self.folder / name / f"scores-{share}")

    def close(self, name: str) -> None:
        """Remove the genes of a request that has all its scores."""
        atomic.remove_file(self.folder / name / REQUEST_GENES)

    def forget_before(self, generation: float) -> None:
        """Remove the requests of earlier generations, whose scores nobody needs again."""
        for match in filter(None, map(REQUEST_NAME.fullmatch, list_names(self.folder))):
            if int(match[1]) < generation:
                atomic.remove_directory(self.folder / match[0])

    def show(self, presence: Presence) -> None:
        """Write what a member has done so far, if that can be: nobody's scores depend on it."""
        place = self.paths.team_members
        with contextlib.suppress(OSError):
            atomic.make_directory(place, durable=False)
            atomic.replace_file(place / f"{presence.member}.json", encode(presence), durable=False)

    def clear_leftovers(self) -> None:
        """Remove what owners that were killed left half written, and what members did; a living one writes it again."""
        for place in (self.folder, self.paths.team_members):
            atomic.clear_leftovers(place)
        atomic.truncate_torn_line(self.log)

    def members(self) -> list[Presence]:
        """Return what the members have done so far, by name; what is no presence is left out."""
        return read_members(self.paths)

    def note(self, scored: Scored) -> None:
        """Add a line to the team's log."""
        atomic.append_lines(self.log, [encode(scored)])

    def history(self) -> list[runlog.Record]:
        """Return the lines of the team's log."""
        return runlog.read(self.log)


def is_of_request(name: str) -> bool:
    """Say whether a file of a request may have that name."""
    return name in {REQUEST, REQUEST_GENES} or bool(CLAIM_NAME.fullmatch(name) or SCORES_NAME.fullmatch(name))


def request_name(generation: int, key: bytes) -> str:
    """Name a request by the generation on whose way it is, and by its key."""
    return f"gen-{generation}-{key.hex()[:16]}"


def _read(folder: Path, name: str, *, limit: int) -> bytes:
    with directory(folder) as descriptor:
        return read_file(descriptor, name, limit=limit)

"""Records of an island: the lines of its log and its ledger as types, with one reader and one text of each for people.

Reading is lenient, since a crash may have cut a line short, a stranger may have changed it, and an older or a newer
version may have written it: a field that is missing or of another type is None, a field that is not known is ignored,
and a kind that is not known is an `Other`. What has no kind or no generation is no record. None is never written.
"""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, TypeVar

import msgspec
from msgspec import Meta, Struct

from atoll.evo.errors import count
from atoll.evo.strict_json import MAX_INTEGER

if TYPE_CHECKING:
    from collections.abc import Sequence

Count = Annotated[int, Meta(ge=0, le=MAX_INTEGER)]
Number = Annotated[float, Meta(ge=-sys.float_info.max, le=sys.float_info.max)]
"""A finite one."""
Share = Annotated[float, Meta(gt=0.0, le=1.0)]
Shares = dict[str, Share]
"""Ancestor -> its share of all genes; they sum to 1."""

MAX_NAMED = 4


class Time(Struct, frozen=True):
    """The times of a record, in a field of their own, so that equal runs write equal lines without it."""

    unix_s: Number | None = None  # when it was written, since 1970
    evaluate_s: Number | None = None  # how long the evaluation of the generation took
    scored: Count | None = None  # genomes that the task was asked about meanwhile; logs of older versions do not say


class Record(Struct, frozen=True, kw_only=True, tag_field="kind"):
    """One line of a log or a ledger; `generation` is when, on the island's clock, and `str` its text for people."""

    generation: Count

    @property
    def unix_s(self) -> float | None:
        """Time of writing, in seconds since 1970; None where it does not say."""
        time: Time | None = getattr(self, "time", None)
        return time.unix_s if time else None


class Generation(Record, frozen=True, kw_only=True, tag="generation"):
    """One generation in the log: fitness, diversity, ancestors' shares of all genes, and counts since the founders."""

    best: Number | None = None
    median: Number | None = None
    mean: Number | None = None
    worst: Number | None = None
    champion: Number | None = None
    diversity: Number | None = None
    population: Count | None = None  # where it is not as many as the island began with
    distinct: Count | None = None  # genomes, of the population; logs of older versions do not say
    ancestry: Shares | None = None
    evaluations: Count | None = None
    exports: Count | None = None
    imports: Count | None = None
    refused: Count | None = None
    time: Time | None = None


class Event(Record, frozen=True, kw_only=True):
    """One line of a ledger: what happened between islands; the ledger says of which island, and when it was written."""

    island: str | None = None
    time: Time | None = None


class Start(Event, frozen=True, kw_only=True, tag="start"):
    """One start of an island, in log and ledger: what was written of this generation and later ones is superseded."""

    epoch: Count | None = None
    host: str | None = None
    pid: Count | None = None
    run_id: str | None = None
    started_s: Number | None = None
    settings: dict[str, Any] | None = None
    backend: str | None = None
    build: str | None = None
    algorithm: str | None = None  # which source of a user's own it was

    def __str__(self) -> str:
        return f"epoch {self.epoch} starts here"


class Published(Event, frozen=True, kw_only=True, tag="published"):
    """Genomes that were offered to the others, and the best fitness among them."""

    ids: tuple[str, ...] | None = None
    best: Number | None = None

    def __str__(self) -> str:
        return f"published {count(len(self.ids or ()), 'genome')}, best {_number(self.best)}"


class Migrant(Event, frozen=True, kw_only=True):
    """One genome of another island, its source, that was evaluated here."""

    id: str | None = None
    source: str | None = None
    source_generation: Count | None = None
    source_epoch: Count | None = None
    genome_sha256: str | None = None
    ancestry: Shares | None = None
    fitness_there: Number | None = None  # as its island said
    fitness_here: Number | None = None
    led: bool | None = None  # it was better than all who lived here; ledgers of older versions do not say
    again: bool | None = None  # its batch had been drawn from before, since no newer one was there

    def __str__(self) -> str:
        place = f"{self.source} gen {self.source_generation}" + ", again" * bool(self.again)
        return f"{self.id} from {place}: {_number(self.fitness_there)} there, {_number(self.fitness_here)} here"


class Imported(Migrant, frozen=True, kw_only=True, tag="imported"):
    """An immigrant that took the place of the individual `displaced`."""

    displaced: Count | None = None

    def __str__(self) -> str:
        return f"imported {Migrant.__str__(self)}"


class Refused(Migrant, frozen=True, kw_only=True, tag="refused"):
    """A batch or a genome that was turned away; one that was evaluated first has an `id`."""

    reason: str | None = None
    detail: str | None = None

    def __str__(self) -> str:
        if self.id is not None:
            return f"refused {Migrant.__str__(self)}, {self.reason}"
        detail = "" if self.detail is None else f": {self.detail}"
        return f"refused {self.source} gen {self.source_generation}, {self.reason}{detail}"


class Alone(Event, frozen=True, kw_only=True, tag="alone"):
    """A migration that brought nobody, with `peers` other islands in the pool."""

    peers: Count | None = None

    def __str__(self) -> str:
        return f"nothing to import from {count(self.peers or 0, 'other island')}; evolving alone"


class Waiting(Event, frozen=True, kw_only=True, tag="waiting"):
    """A wait for other members of a lockstep."""

    waiting_for: tuple[str, ...] | None = None

    def __str__(self) -> str:
        return f"waiting for {named(self.waiting_for or ())} gen-{self.generation}"


class Failed(Event, frozen=True, kw_only=True):
    """An action that the file system refused."""

    action: ClassVar[str]
    error: str | None = None

    def __str__(self) -> str:
        return f"could not {self.action}: {self.error}"


class Unpublished(Failed, frozen=True, kw_only=True, tag="unpublished"):
    """An offer that could not be made."""

    action = "publish"


class NoBeat(Failed, frozen=True, kw_only=True, tag="no-beat"):
    """A beat that could not be written."""

    action = "write the beat"


class Unpruned(Failed, frozen=True, kw_only=True, tag="unpruned"):
    """Old publications that could not be removed."""

    action = "prune"


class Pruned(Event, frozen=True, kw_only=True, tag="pruned"):
    """Old publications that were removed, the newest first."""

    generations: tuple[Count, ...] | None = None

    def __str__(self) -> str:
        return f"pruned {count(len(self.generations or ()), 'old publication')}"


class Mended(Event, frozen=True, kw_only=True, tag="mended"):
    """A publication of our own that was invalid, and was moved away."""

    reason: str | None = None
    detail: str | None = None

    def __str__(self) -> str:
        return f"moved our gen-{self.generation} away, {self.reason}: {self.detail}"


class Unmended(Event, frozen=True, kw_only=True, tag="unmended"):
    """Publications of our own that could not be read, and were left alone, the newest first."""

    generations: tuple[Count, ...] | None = None
    reason: str | None = None
    detail: str | None = None

    def __str__(self) -> str:
        alike = count(len(self.generations or ()), "publication")
        return f"left {alike} of ours alone, {self.reason}: gen-{self.generation}, {self.detail}"


class Other(Event, frozen=True, kw_only=True, tag="other"):
    """A record of a kind that this version does not know: its name, and all else that it has. Never written."""

    name: str
    details: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.name} {json.dumps(self.details)}" if self.details else self.name


WRITTEN: tuple[type[Record], ...] = (
    *(Start, Generation, Published, Imported, Refused, Alone, Waiting),
    *(Unpublished, NoBeat, Unpruned, Pruned, Mended, Unmended),
)
KINDS = {str(kind.__struct_config__.tag): kind for kind in WRITTEN}
"""The kind of each record that is written -> its type."""

R = TypeVar("R", bound=Record)


def to_json(record: Record) -> dict[str, Any]:
    """Return a record as JSON has it, without the fields that are None."""
    fields = {"kind": record.__struct_config__.tag, **_known(record)}
    return {**fields, "time": _known(fields["time"])} if "time" in fields else fields


def _known(struct: Struct) -> dict[str, Any]:
    return {name: value for name, value in msgspec.structs.asdict(struct).items() if value is not None}


def parse(line: bytes) -> Record | None:
    """Read one line; None if it is no record."""
    try:
        return from_json(json.loads(line))
    except (ValueError, RecursionError):
        return None


def from_json(raw: object) -> Record | None:
    """Return what a value of JSON is as a record; None if it is none."""
    if not isinstance(raw, dict) or not isinstance(raw.get("kind"), str):
        return None
    kind = KINDS.get(raw["kind"], Other)
    if kind is Other:
        details = {name: value for name, value in raw.items() if name not in {"kind", *Event.__struct_fields__}}
        raw = {**raw, "kind": "other", "name": raw["kind"], "details": details}
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError:
        return _in_part(raw, kind)


def of_kind(raw: object, kind: type[R]) -> R | None:
    """Return what a value of JSON is as a record of that kind; None if it is none."""
    record = from_json(raw)
    return record if isinstance(record, kind) else None


def _in_part(raw: dict[str, Any], kind: type[Record]) -> Record | None:
    """Return a record without what cannot be used of it; None if that is its generation."""
    if _usable(raw.get("generation"), Count) is None:
        return None
    shares = raw.get("ancestry")
    if isinstance(shares, dict):
        raw = {**raw, "ancestry": {name: share for name, share in shares.items() if _usable(share, Share) is not None}}
    return kind(**{field.name: _usable(raw.get(field.name), field.type) for field in msgspec.structs.fields(kind)})


def _usable(value: object, kind: Any) -> Any:  # noqa: ANN401 - as a type hint has it
    with suppress(msgspec.ValidationError):
        return msgspec.convert(value, kind)
    return None


def named(islands: Sequence[str]) -> str:
    """Return the names of islands, of many the first few."""
    more = len(islands) - MAX_NAMED
    return ", ".join(islands[:MAX_NAMED]) + (f" and {more} more" if more > 0 else "")


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.6g}"

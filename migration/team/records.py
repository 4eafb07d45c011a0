"""Records of a team: a member's presence, its claim of a share, what is asked for now, and who scored what."""

from __future__ import annotations

from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta, Struct

from atoll.evo import strict_json
from atoll.evo.errors import DamagedFileError
from atoll.evo.records import Count, Number, Time  # noqa: TC001 - msgspec looks them up

Text = Annotated[str, Meta(max_length=256)]
LongText = Annotated[str, Meta(max_length=2000)]
S = TypeVar("S", bound=Struct)


class Holder(Struct, frozen=True, kw_only=True):
    """A process, as its host knows it."""

    member: Text
    host: Text
    boot_id: Text
    pid: Annotated[int, Meta(gt=0, lt=2**31)]
    process_started_s: Number


class Presence(Holder, frozen=True, kw_only=True):
    """What a member has done so far; it writes that itself.

    Attributes:
        waited_s: Seconds without a share to score while it was asked for scores, or waited to be.
        taken_over: Shares that another had claimed, and had not scored in time.
        checked: Shares that it scored because another had, to compare.
        duplicates: Shares that it scored when another's scores were there already.
        has_left: It ended by itself.
    """

    started_s: Number
    shares: Count = 0
    genomes: Count = 0
    evaluate_s: Number = 0.0
    waited_s: Number = 0.0
    taken_over: Count = 0
    checked: Count = 0
    duplicates: Count = 0
    has_left: bool = False


class Now(Struct, frozen=True):
    """What a team is asked for now: a request's name, or nothing; or that it is over, or why it was stopped."""

    request: Text = ""
    is_over: bool = False
    stopped: LongText = ""


class Request(Struct, frozen=True):
    """A request for scores: how many genomes [P] of how many genes [D], in which episode, and how they are shared.

    Attributes:
        shares: First, end and copy of each; see `Share`.
    """

    generation: Count
    episode: Count
    genomes: Count
    genes: Count
    shares: list[tuple[Count, Count, Count]]


class Scored(Struct, frozen=True, kw_only=True, tag_field="kind", tag="scored"):
    """One line of `team.jsonl`: who scored what of a request.

    Attributes:
        by: Member -> genomes.
        taken_over: Shares that were claimed more than once.
        checked: Shares that were scored twice and compared.
        refused: Score files that were turned away.
        found: Shares whose scores were there before anybody was asked: an earlier owner's.
    """

    generation: Count
    episode: Count
    genomes: Count
    by: dict[str, int]
    taken_over: Count = 0
    checked: Count = 0
    refused: Count = 0
    found: Count = 0
    waited_s: Number = 0.0
    time: Time | None = None


def encode(record: Struct) -> bytes:
    """Write a record as canonical JSON."""
    return strict_json.encode(msgspec.to_builtins(record))


def decode(data: bytes, kind: type[S]) -> S:
    """Read a record; DamagedFileError if it is none of that kind."""
    try:
        return msgspec.convert(strict_json.parse(data), kind)
    except msgspec.ValidationError as error:
        raise DamagedFileError(f"not a {kind.__name__.lower()}: {error}") from error

"""Shares of a generation: how it is cut for self-scheduling, and which shares are scored twice. No files, no clocks."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from atoll.evo.genome import Floats

MAX_MEMBERS = 1024


@dataclass(frozen=True)
class Share:
    """Genomes `first` to before `end` of a generation; a `copy` above 0 is scored to check the one before."""

    first: int
    end: int
    copy: int = 0

    @property
    def n(self) -> int:
        """How many genomes it has."""
        return self.end - self.first


def cut(n: int, members: int, *, least: int) -> list[Share]:
    """Cut `n` genomes into shares for `members` processes, large ones first, of `least` genomes or a little more.

    In each round half of what is left is cut into one share for each. So there are few of them, and at the end nobody
    waits for more than a small one, though members may be of different speed. Where shares would be too small for that,
    each gets an equal one.

    Source: Hummel, Schonberg & Flynn 1992, "Factoring: a method for scheduling parallel loops", CACM 35(8), 90-101.
    """
    ends: list[int] = [0]
    while ends[-1] < n:
        left = n - ends[-1]
        is_last = left < 2 * least * members
        each = left / members if is_last else max(left / (2 * members), least)
        ends += [ends[-1] + round(each * number) for number in range(1, members + 1)]
    return [Share(first, end) for first, end in pairwise(ends) if first < end]


def from_own_place(free: list[int], members: int, *, place: int) -> list[int]:
    """Return free shares in the order in which a member tries to claim them: of as many as members, from its own on.

    Shares come large ones first. If all began with the same one, all but one would fail, and all but two with the next.
    """
    start = place % max(min(members, len(free)), 1)
    return [*free[start:members], *free[:start], *free[members:]]


def with_checks(shares: list[Share], *, key: bytes, rate: float) -> list[Share]:
    """Return the shares, and behind them copies of those that are scored twice: a part of `rate`, drawn by `key`."""
    return shares + [
        Share(share.first, share.end, 1) for n, share in enumerate(shares) if _draw(key, n) < rate * 2.0**64
    ]


def rows_sha256(genes: Floats, share: Share) -> str:
    """Return the hash of the genomes of a share, by which scores are known to be theirs."""
    return hashlib.sha256(np.ascontiguousarray(genes[share.first : share.end], dtype="<f4").data).hexdigest()


def request_key(hashes: list[str], *, episode: int) -> bytes:
    """Return the key of a request for scores: equal ones ask for the same genomes, cut alike, in the same episode."""
    return hashlib.sha256(",".join([str(episode), *hashes]).encode()).digest()


def _draw(key: bytes, n: int) -> int:
    return int.from_bytes(hashlib.sha256(key + n.to_bytes(4, "little")).digest()[:8], "little")

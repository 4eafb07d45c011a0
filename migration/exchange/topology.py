"""Which islands an island imports from: (me, the others seen, rng) -> sources. Pure.

full          every other island
ring          the one before me in the order of names, counted round; it stays a ring when islands come and go
two-way-ring  the one before me and the one after me
star          the first in the order of names is the hub: it imports from all, and all others from it alone
random-K      K others, drawn anew at each migration (all of them while there are fewer)
none          nobody: migration is off
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np


def sources(topology: str, me: str, seen: Iterable[str], rng: np.random.Generator) -> tuple[str, ...]:
    """Return the islands to import from, in the order of names.

    Args:
        topology: As the config spells it.
        me: The island that imports; never among the sources.
        seen: The islands found in the pool, in any order.
        rng: The stream for topology; only random-K draws from it.
    """
    others = sorted(set(seen) - {me})
    if topology == "none" or not others:
        return ()
    if topology == "full":
        return tuple(others)
    earlier = [name for name in others if name < me]
    if topology == "star":
        return (others[0],) if earlier else tuple(others)
    if topology in {"ring", "two-way-ring"}:
        before, after = others[len(earlier) - 1], others[len(earlier) % len(others)]
        return tuple(sorted({before} if topology == "ring" else {before, after}))
    k = min(int(topology.removeprefix("random-")), len(others))
    return tuple(others[i] for i in sorted(rng.choice(len(others), k, replace=False)))

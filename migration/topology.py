"""Which islands an island imports from: (me, the others seen, rng) -> sources. Pure.

full      every other island
ring      the one before me in the order of names, counted round; it stays a ring when islands come and go
random-K  K others, drawn anew at each migration (all of them while there are fewer)
none      nobody: migration is off
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
    if topology == "ring":
        earlier = [name for name in others if name < me]
        return (earlier[-1] if earlier else others[-1],)
    k = min(int(topology.removeprefix("random-")), len(others))
    return tuple(others[i] for i in sorted(rng.choice(len(others), k, replace=False)))

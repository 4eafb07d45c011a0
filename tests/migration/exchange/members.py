"""Members of a lockstep to test with."""

from __future__ import annotations

import itertools

from atoll.evo import atomic
from atoll.evo.rng import streams
from tests.migration.archipelago import SEED, migrants_of

MEMBERS = "a,b,c,d"
LOCKSTEP = {"mode": "lockstep", "members": MEMBERS, "topology": "full"}


def member(world, name, **migration):
    """Start a member, again if it was there before."""
    return world.island(name, **{**LOCKSTEP, **migration})


def publish(world, name, *generations):
    """Let a member publish at these generations."""
    exchange = member(world, name)
    for generation in generations:
        exchange.publish(generation, migrants_of(name, generation))


def is_ready(exchange, name, generation):
    """Ask once."""
    return exchange.is_ready(generation, streams=streams(SEED, name, generation))


def refusing(monkeypatch, n, error):
    """Let the next `n` publications fail."""
    left = itertools.count(1)
    create = atomic.create_directory

    def refuse(*args, **kwargs):
        if next(left) <= n:
            raise error
        return create(*args, **kwargs)

    monkeypatch.setattr(atomic, "create_directory", refuse)

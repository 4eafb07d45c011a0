"""Gene flow of an archipelago, from histories and from the genes themselves: checkpoints, publications and inboxes.

Nothing here is computed while islands evolve. A checkpoint is from before the immigrants of its generation, and islands
are seen at the generations that they had reached, so numbers of a run in progress are of about then.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from atoll.evo import arrayfile, diversity, moments
from atoll.evo.errors import AtollError, DamagedFileError
from atoll.evo.genome import Population
from atoll.evo.paths import CHECKPOINT_NAME, parse_generation
from atoll.migration.observe.history import effective_number, pooled, read_histories
from atoll.migration.pool import inbox, islands
from atoll.migration.pool.bounded_io import (
    RefusedError,
    VanishedError,
    directory,
    generations_in,
    list_names,
    read_file,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from atoll.evo.diversity import Moments
    from atoll.evo.genome import GenomeSpec, Migrants
    from atoll.evo.paths import IslandPaths, SharedPaths
    from atoll.evo.records import Shares
    from atoll.migration.observe.history import Fate, History, Origins
    from atoll.migration.pool.access import OpenPool

MAX_CHECKPOINT_BYTES = 1 << 30
POPULATIONS, EMIGRANTS = "whole populations", "emigrants"
"""Whom F_ST compares."""
NOBODY = -1
"""An ancestor that no resident descends from."""


@dataclass(frozen=True)
class Snapshot:
    """One island's population in its newest checkpoint that can be read."""

    island: str
    generation: int
    population: Population


@dataclass(frozen=True)
class Differentiation:
    """Genetic differentiation, F_ST: the share of the variance that lies between so many islands at a generation.

    Attributes:
        of: Whom it compares: whole populations, or emigrants.
    """

    generation: int
    islands: int
    f_st: float | None
    of: str


@dataclass(frozen=True)
class Archipelago:
    """Gene flow of an archipelago: whose genes its islands have, and what became of the migrants.

    Attributes:
        origins: The newest line of each island.
        ancestry: Each ancestor's share of the genes of all islands, the largest first.
        effective: The effective number of ancestors of all islands together.
        f_st: Between the islands' newest checkpoints; see `atoll.evo.diversity.fixation_index`.
        compared: Island -> the generation of the checkpoint that was compared.
        kept: For each fate, how much of its island consists of that migrant's genes now.
        unreadable: Islands that may not be read, and why.
    """

    histories: Sequence[History]
    origins: Sequence[Origins]
    ancestry: Shares
    effective: float | None
    f_st: float | None
    compared: dict[str, int]
    fates: Sequence[Fate]
    kept: Sequence[float | None]
    unreadable: Mapping[str, str]


def look(shared: SharedPaths, names: Sequence[str], *, spec: GenomeSpec) -> Archipelago:
    """Read logs, ledgers, newest checkpoints and inboxes."""
    histories = read_histories(shared, names)
    origins = [history.last for history in histories if history.last is not None]
    ancestry = pooled([each.ancestry for each in origins], [each.population or 1 for each in origins])
    snapshots = take(shared, [history.island for history in histories])
    fates = [fate for history in histories for fate in history.fates]
    return Archipelago(
        histories,
        origins,
        ancestry,
        effective_number(ancestry.values()) if ancestry else None,
        f_st(snapshots, spec),
        {each.island: each.generation for each in snapshots},
        fates,
        kept(shared, snapshots, fates),
        islands.unreadable_of(shared, names),
    )


def take(shared: SharedPaths, names: Sequence[str]) -> list[Snapshot]:
    """Return the populations of those of these islands that have a checkpoint which can be read."""
    found = (take_one(shared.island(name)) for name in names)
    return [snapshot for snapshot in found if snapshot is not None]


def take_one(paths: IslandPaths) -> Snapshot | None:
    """Return one island's population, or None. A checkpoint may be replaced while we look: then the next is there."""
    try:
        numbers = [parse_generation(name, CHECKPOINT_NAME) for name in list_names(paths.checkpoints)]
    except PermissionError:
        return None
    for generation in sorted((n for n in numbers if n is not None), reverse=True):
        try:
            with directory(paths.checkpoints) as descriptor:
                data = read_file(descriptor, paths.checkpoint(generation).name, limit=MAX_CHECKPOINT_BYTES)
            arrays, metadata = arrayfile.decode(data)
            return Snapshot(paths.name, generation, _population(arrays, metadata))
        except (RefusedError, VanishedError, DamagedFileError):
            continue
    return None


def f_st(snapshots: Sequence[Snapshot], spec: GenomeSpec) -> float | None:
    """Return F_ST between islands; see `atoll.evo.diversity.fixation_index`."""
    genes = [each.population.genes for each in snapshots if each.population.genes.shape[1] == spec.size]
    return diversity.fixation_index(genes, spec)


def differentiation(pool: OpenPool) -> list[Differentiation]:
    """Return F_ST between islands over time.

    It is of whole populations, as they were before anything was imported, at each generation at which two islands or
    more have kept their moments. At others it is of those who emigrated, where two islands or more have published: with
    the best of each it says how far apart these are, and of clones nearly 1, however alike the populations.
    """
    shared, found = pool.shared, []
    known = sorted({*islands.started(shared), *islands.lived(shared)})
    closed = islands.unreadable_of(shared, known)
    names = [name for name in known if name not in closed]
    whole = _by_generation(names, lambda name: _generations_of_moments(shared.island(name)))
    sent = _by_generation(names, lambda name: generations_in(shared.island(name).outbox))
    for generation in sorted({*whole, *sent}):
        groups = [_moments(pool, name, generation) for name in whole.get(generation, ())]
        of = POPULATIONS
        if len(groups) - groups.count(None) < 2:
            groups, of = [_moments_of_emigrants(pool, name, generation) for name in sent.get(generation, ())], EMIGRANTS
        if len(groups) > 1:
            present = [group for group in groups if group is not None]
            found.append(Differentiation(generation, len(present), diversity.fixation_index_of(present), of))
    return found


def _by_generation(names: Iterable[str], generations: Callable[[str], Iterable[int]]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for name in names:
        for generation in generations(name):
            found.setdefault(generation, []).append(name)
    return found


def _generations_of_moments(paths: IslandPaths) -> list[int]:
    try:
        numbers = [parse_generation(name, CHECKPOINT_NAME) for name in list_names(paths.all_moments)]
    except OSError:  # closed to our account, or no folder
        return []
    return [n for n in numbers if n is not None]


def _moments(pool: OpenPool, island: str, generation: int) -> Moments | None:
    path = pool.shared.island(island).moments(generation)
    try:
        with directory(path.parent) as descriptor:
            found = moments.decode(read_file(descriptor, path.name, limit=MAX_CHECKPOINT_BYTES))
    except (RefusedError, VanishedError, DamagedFileError):
        return None
    return found if found.mean.shape == (pool.spec.size,) else None


def _moments_of_emigrants(pool: OpenPool, island: str, generation: int) -> Moments | None:
    migrants = _published(pool, island, generation)
    return None if migrants is None else diversity.moments(migrants.population.genes, pool.spec)


def kept(shared: SharedPaths, snapshots: Sequence[Snapshot], fates: Sequence[Fate]) -> list[float | None]:
    """Return for each accepted migrant how much of its island consists of the very genes that it brought, now.

    That is the share of all genes there that are the migrant's bit for bit, at the same place and of the same ancestor,
    if that is not the island itself: what it had given away and got back was there before. Real genes have so many
    values that two alike are copies of one; where several migrants brought a copy, each is credited.

    Returns:
        One share for each fate; None if it brought no genes of other ancestors, or where the checkpoint or the inbox
        does not say.
    """
    here = {each.island: each.population for each in snapshots}
    arrivals: dict[tuple[str, int], Migrants | None] = {}
    shares: list[float | None] = []
    for fate in fates:
        place = (fate.island, fate.generation)
        if place not in arrivals:
            arrivals[place] = _arrived(shared.island(fate.island), fate.generation)
        migrants, residents = arrivals[place], here.get(fate.island)
        if migrants is None or residents is None or fate.id not in migrants.ids:
            shares.append(None)
        else:
            migrant = migrants.population.take(np.asarray([migrants.ids.index(fate.id)]))
            shares.append(_share(residents, migrant, island=fate.island))
    return shares


def _share(residents: Population, migrant: Population, *, island: str) -> float | None:
    number = {name: n for n, name in enumerate(residents.islands) if name != island}
    ancestor = np.asarray([number.get(name, NOBODY) for name in migrant.islands])[migrant.ancestry[0]]
    is_foreign = np.asarray([name != island for name in migrant.islands])[migrant.ancestry[0]]
    is_copy = (residents.genes == migrant.genes[0]) & (residents.ancestry == ancestor)
    return float(is_copy.mean()) if is_foreign.any() else None


def _population(arrays: arrayfile.Arrays, metadata: Mapping[str, Any]) -> Population:
    """Return the population of a checkpoint; raise `DamagedFileError` if there is none."""
    genes, ancestry, islands = arrays.get("genes"), arrays.get("ancestry"), metadata.get("islands")
    if metadata.get("kind") != "checkpoint" or not isinstance(islands, list):
        raise DamagedFileError("no checkpoint")
    if genes is None or ancestry is None or genes.shape != ancestry.shape:
        raise DamagedFileError("no population in it")
    return Population(genes, ancestry, tuple(map(str, islands)))


def _published(pool: OpenPool, island: str, generation: int) -> Migrants | None:
    try:
        return pool.read(island, generation).migrants
    except (RefusedError, VanishedError):
        return None


def _arrived(paths: IslandPaths, generation: int) -> Migrants | None:
    try:
        arrivals = inbox.read(paths.inbox(generation))
    except AtollError:
        return None
    return arrivals.migrants if arrivals else None

"""The best champion of an archipelago, scored again, and how a program loads it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from atoll.evo.errors import ConfigError
from atoll.migration.pool import identity as pool
from atoll.migration.pool import islands
from atoll.scripts.report import champion as champions
from atoll.scripts.report.show import champion_text, tell_of

if TYPE_CHECKING:
    from atoll.evo.paths import SharedPaths


def tell_of_best(shared: SharedPaths, *, task: str | None) -> dict[str, Any]:
    """Return what there is to tell of the champion with the highest fitness; of equals, of the island first by name.

    Args:
        shared: The archipelago's files.
        task: A task in the user's own file, which only the user can name.

    Raises:
        ConfigError: No island has a champion, or its task is a program that nobody named.
        DamagedFileError: Its file is damaged.
    """
    pool.check_directory(shared)
    names = sorted(islands.lived(shared))
    closed = islands.unreadable_of(shared, names)
    found, notes = champions.read_all(shared, [name for name in names if name not in closed])
    notes += [f"{name} is left out: {why}" for name, why in closed.items()]
    if not found:
        why = f" ({'; '.join(notes)})" if notes else ""
        raise ConfigError(f"no island in {shared.root} has a champion that can be read{why}")
    name = max(found, key=lambda each: found[each].fitness)
    path = str(shared.island(name).champion)
    told = tell_of(path, shared, is_checking=True, gif=None, png=None, is_unseen=True, task=task)
    return {**told, "of_islands": len(found), "notes": notes, "load": load_text(path)}


def load_text(path: str) -> str:
    """Return the lines of Python that load a champion's genes, [D], and its fitness."""
    return f"from safetensors.numpy import load_file\ngenes = load_file({path!r})['genes'][0]"


def best_text(told: dict[str, Any]) -> str:
    """Tell of it in plain words."""
    head = f"the best of {told['of_islands']} islands is {told['island']}"
    notes = [f"note: {text}" for text in told["notes"]]
    return "\n".join([*notes, head, champion_text(told), "", "in Python:", told["load"]])

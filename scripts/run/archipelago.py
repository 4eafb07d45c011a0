"""An archipelago in one process, its islands by turns: no waiting and no files but those that a recorder writes.

In lockstep the result is, bit for bit, that of as many processes; so an experiment can have a whole archipelago for the
price of its evaluations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from atoll.evo.algorithms.choice import settled
from atoll.evo.errors import LockstepTimeoutError
from atoll.evo.island import steps
from atoll.evo.turns import take_turns
from atoll.migration.exchange.modes import memory_exchange
from atoll.migration.pool.batch import Publisher

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from atoll.evo.config import IslandConfig
    from atoll.evo.generation import State
    from atoll.evo.recorder import Recorder
    from atoll.evo.records import Event
    from atoll.evo.tasks.task import Task
    from atoll.evo.turns import Life
    from atoll.migration.exchange.exchange import Notes
    from atoll.migration.pool.batch import Batch

RUN_ID = "in-memory"


class NoNotes:
    """A ledger for who does not ask what became of each migrant."""

    def note(self, *events: Event, text: str = "") -> None:
        """Keep nothing."""


def evolve_together(
    configs: Sequence[IslandConfig],
    task: Task,
    *,
    recorder_of: Callable[[IslandConfig], Recorder],
    ledger_of: Callable[[IslandConfig], Notes] = lambda _: NoNotes(),
) -> dict[str, State]:
    """Evolve an archipelago in this process, to the end, and return each island's last state.

    Args:
        configs: Its islands.
        task: The problem of all of them.
        recorder_of: What keeps an island's log, checkpoints and champion.
        ledger_of: What keeps its migrations.

    Raises:
        LockstepTimeoutError: Islands in lockstep wait for one that is not among them.
    """
    configs = [settled(config, task.spec) for config in configs]
    pool: dict[str, dict[int, Batch]] = {}
    lives: dict[str, Life[State]] = {}
    for config in configs:
        exchange = memory_exchange(
            pool,
            publisher=Publisher(RUN_ID, config.island, 1, config.island, task.spec),
            migration=config.migration,
            ledger=ledger_of(config),
        )
        lives[config.island] = steps(config, task, exchange=exchange, recorder=recorder_of(config))
    return take_turns(lives, idle=give_up)


def give_up(n: int, waiting: Sequence[str]) -> None:
    """End a wait of all who are left, once nothing has happened since the last one.

    Raises:
        LockstepTimeoutError: They would wait for ever.
    """
    if n > 1:
        stuck = ", ".join(waiting)
        raise LockstepTimeoutError(f"{stuck} would wait for ever, for a member that is not among those started")

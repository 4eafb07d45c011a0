"""Several islands in one process, by turns; each has its own files, and ends as if it were alone.

Whatever ends one of them, its task, its files or a newer owner, the others go on. A signal stops all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from atoll.evo import atomic
from atoll.evo.errors import AtollError, count, no_memory, worst
from atoll.evo.turns import take_turns
from atoll.scripts.run import resume
from atoll.scripts.run.island import live

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from atoll.evo.config import IslandConfig
    from atoll.evo.signals import StopSignal
    from atoll.evo.turns import Life
    from atoll.scripts.run.island import Command, Display


class _Heard:
    """The stop signal of the process, as one of its islands hears it: with an answer of its own, which nobody sees."""

    def __init__(self, stop: StopSignal) -> None:
        self.answer: Callable[[], str] = str
        self._stop = stop

    @property
    def received(self) -> int:
        return self._stop.received

    def __call__(self) -> bool:
        return self._stop()


def run_islands(
    configs: Sequence[IslandConfig],
    command: Command,
    *,
    display_of: Callable[[str], Display],
    complain: Callable[[str], None],
    stop: StopSignal,
) -> int:
    """Evolve several islands in this process.

    Args:
        configs: What to compute, for each island.
        command: How, and where.
        display_of: Who watches an island, by its name.
        complain: Told in one line why an island ended early.
        stop: What asks all of them to stop.

    Returns:
        The worst of the islands' exit codes.
    """
    load = resume.load_once(say=display_of(configs[0].island).say, is_stopping=stop)
    lives = {
        config.island: live(config, command, load=load, display=display_of(config.island), stop=_Heard(stop))
        for config in configs
    }
    stop.answer = lambda: (
        f"{count(len(lives), 'island')}: stopping after this generation; a second signal ends them at once, and loses "
        f"what came after their newest checkpoints"
    )
    codes = take_turns({name: _alone(name, life, complain) for name, life in lives.items()}, is_stopping=stop)
    return worst(codes.values())


def _alone(name: str, life: Life[int], complain: Callable[[str], None]) -> Life[int]:
    """Let an error that Atoll explains end one island."""
    try:
        with atomic.storage_errors("read or write what this island needs"):
            return (yield from life)
    except (AtollError, MemoryError) as error:
        explained = no_memory(error) if isinstance(error, MemoryError) else error
    complain(f"error: {name}: {explained}")
    return explained.exit_code

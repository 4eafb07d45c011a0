"""Where the time of running code goes: seconds inside functions that are watched, their inner ones subtracted."""

from __future__ import annotations

import contextlib
import functools
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Watched = tuple[Any, str, str]
    """A class or module, the name of its function, the stage whose time this is."""


@dataclass
class Lap:
    """One call of a watched function.

    Attributes:
        stage: Whose time it is.
        wall_s: How long it took.
        own_s: The same without the watched functions that it called.
    """

    stage: str
    wall_s: float = 0.0
    own_s: float = 0.0


class Stopwatch:
    """Collects laps in the order in which they end.

    Args:
        whole: The stage of interest: others count only inside it.
        clock: Seconds from anywhere.
    """

    def __init__(self, whole: str, clock: Callable[[], float] = time.perf_counter) -> None:
        self.laps: list[Lap] = []
        self._whole = whole
        self._clock = clock
        self._running: list[Lap] = []

    @contextlib.contextmanager
    def watching(self, watched: Iterable[Watched]) -> Iterator[None]:
        """Watch functions, each looked up in its class or module whenever it is called; then put them back."""
        with contextlib.ExitStack() as stack:
            for owner, name, stage in watched:
                stack.callback(setattr, owner, name, getattr(owner, name))
                setattr(owner, name, self._timed(getattr(owner, name), stage))
            yield

    def of(self, stage: str) -> list[Lap]:
        """Return the calls of a stage."""
        return [lap for lap in self.laps if lap.stage == stage]

    def totals_s(self) -> dict[str, float]:
        """Return each stage's own seconds; they add up to those of the whole."""
        totals: dict[str, float] = {}
        for lap in self.laps:
            totals[lap.stage] = totals.get(lap.stage, 0.0) + lap.own_s
        return totals

    def _timed(self, function: Callable[..., Any], stage: str) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(*args: Any, **keywords: Any) -> Any:  # noqa: ANN401 - whatever the function takes and returns
            if not self._running and stage != self._whole:
                return function(*args, **keywords)
            lap = Lap(stage)
            self._running.append(lap)
            started_s = self._clock()
            try:
                return function(*args, **keywords)
            finally:
                lap.wall_s = self._clock() - started_s
                lap.own_s += lap.wall_s
                self._running.pop()
                if self._running:
                    self._running[-1].own_s -= lap.wall_s
                self.laps.append(lap)

        return call

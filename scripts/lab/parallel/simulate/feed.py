"""Who does what next: one queue for all workers, or islands that live through epochs of their own."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Piece:
    """A piece of work.

    Attributes:
        number: Which.
        alone_s: How long it takes alone.
        tries: How often it was begun and crashed.
    """

    number: int
    alone_s: float
    tries: int = 0


class Feed(Protocol):
    """Hands out pieces."""

    @property
    def n_workers(self) -> int | None:
        """How many workers it is made for; None: any number."""

    def take(self, worker: int) -> Piece | None:
        """Return what `worker` does next; None if there is nothing for it now."""

    def put_back(self, worker: int, piece: Piece) -> None:
        """Take back a piece that is to be done again."""

    def finish(self, worker: int) -> bool:
        """Note that `worker` has finished a piece, and say whether there is now something for those who had nothing."""


class Queue:
    """Trials in order; a worker that is free takes the next ones, `chunk` at a time.

    Args:
        trials_s: How long each takes alone.
        chunk: How many a worker takes at a time and does one after the other.
    """

    n_workers = None

    def __init__(self, trials_s: Sequence[float] | NDArray[np.float64], *, chunk: int = 1) -> None:
        self._waiting = deque(Piece(number, float(alone_s)) for number, alone_s in enumerate(trials_s))
        self._chunk = chunk
        self._taken: dict[int, deque[Piece]] = {}

    def take(self, worker: int) -> Piece | None:
        """Return the next piece of the worker's chunk, or of a new one."""
        mine = self._taken.setdefault(worker, deque())
        if not mine:
            mine.extend(self._waiting.popleft() for _ in range(min(self._chunk, len(self._waiting))))
        return mine.popleft() if mine else None

    def put_back(self, worker: int, piece: Piece) -> None:  # noqa: ARG002 - whoever is free may have it
        """Put a piece at the head of the queue."""
        self._waiting.appendleft(piece)

    def finish(self, worker: int) -> bool:  # noqa: ARG002 - no trial waits for another
        """Say no: what waits is in the queue already."""
        return False


class Epochs:
    """Each worker is an island with epochs of its own, between two migrations; at a barrier all wait for the slowest.

    Args:
        epochs_s: How long each epoch of each island takes alone, [islands, epochs].
        barrier: Whether an epoch begins only when all islands have ended the one before.
    """

    def __init__(self, epochs_s: NDArray[np.float64], *, barrier: bool) -> None:
        self._epochs_s = epochs_s
        self._barrier = barrier
        self._begun = [0] * len(epochs_s)
        self._ended = [0] * len(epochs_s)
        self._again: dict[int, Piece] = {}

    @property
    def n_workers(self) -> int:
        """One for each island."""
        return len(self._epochs_s)

    def take(self, worker: int) -> Piece | None:
        """Return the island's next epoch, unless it is at its end or has to wait."""
        if worker in self._again:
            return self._again.pop(worker)
        epoch = self._begun[worker]
        if epoch == self._epochs_s.shape[1] or (self._barrier and min(self._ended) < epoch):
            return None
        self._begun[worker] += 1
        return Piece(worker * self._epochs_s.shape[1] + epoch, float(self._epochs_s[worker, epoch]))

    def put_back(self, worker: int, piece: Piece) -> None:
        """Let the island live this epoch again, from its checkpoint."""
        self._again[worker] = piece

    def finish(self, worker: int) -> bool:
        """Note that an epoch has ended, and say whether a barrier has fallen."""
        self._ended[worker] += 1
        return self._barrier and min(self._ended) == self._ended[worker]

"""What one import may cost, whoever offers what: a stranger wastes a bounded amount of our time, disk reads and memory.

The limits are far above what honest islands need: 64 genomes from each of 64 peers, at a million genes in all, fit ten
times over.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from atoll.migration.pool.bounded_io import Reason, RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_ROUND_BYTES = 256 * 1024 * 1024
MAX_ROUND_FILES = 512
MAX_ROUND_S = 30.0


class Budget:
    """Bytes, files and seconds of one import; it begins when it is made.

    Args:
        clock: Seconds that never jump.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began_s = clock()
        self._n_files = 0
        self._n_bytes = 0

    def spend(self, name: str, n_bytes: int) -> None:
        """Take account of a file that is about to be read.

        Raises:
            RefusedError: It is not to be read: it would go beyond the budget.
        """
        spent_s = self._clock() - self._began_s
        n_files, total = self._n_files + 1, self._n_bytes + n_bytes
        if n_files > MAX_ROUND_FILES or total > MAX_ROUND_BYTES or spent_s > MAX_ROUND_S:
            detail = f"{name} would be file {n_files}, byte {total} and second {spent_s:.0f} of this import"
            raise RefusedError(Reason.OVER_BUDGET, detail, name=name)
        self._n_files, self._n_bytes = n_files, total

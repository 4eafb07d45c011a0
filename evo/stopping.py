"""How an island is asked to stop: by the signals that terminals, launchers and batch systems send."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType, TracebackType

_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass
class StopSignal:
    """SIGINT, SIGTERM and SIGHUP ask for an orderly end; the second one is not caught and ends at once.

    A signal that the parent process set to be ignored (nohup, a shell's background job) stays ignored.

    Attributes:
        received: The signal's number, or 0.
    """

    received: int = 0

    def __enter__(self) -> StopSignal:
        heard = [number for number in _STOP_SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
        self._before = {number: signal.signal(number, self._receive) for number in heard}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def __call__(self) -> bool:
        """Say whether a signal has come."""
        return self.received != 0

    def _receive(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - the signal module's form
        self.received = number
        for heard in self._before:
            signal.signal(heard, signal.SIG_DFL)

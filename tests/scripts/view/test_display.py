"""Who watches an island is shown what goes on as long as that works, and never disturbs it."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

import pytest

from atoll.evo.records import Generation, Time
from atoll.scripts.view.display import UndisturbedDisplay, choose_display

if TYPE_CHECKING:
    from collections.abc import Callable

RECORD = Generation(generation=3, best=1.0, median=0.5, diversity=0.1, time=Time(evaluate_s=0.1))
STEPS = ("make", "__enter__", "say", "generation", "migration", "__exit__")


class Fragile:
    """A display that fails at one step."""

    def __init__(self, step: str, error: BaseException, asked: list[str]) -> None:
        self._step, self._error, self._asked = step, error, asked
        self._ask("make")

    def _ask(self, step: str) -> None:
        self._asked.append(step)
        if step == self._step:
            raise self._error

    def __getattr__(self, step: str) -> Callable[..., None]:
        return lambda *_: self._ask(step)

    def __enter__(self) -> None:
        self._ask("__enter__")

    def __exit__(self, *_: object) -> None:
        self._ask("__exit__")


def watch(step: str, error: BaseException) -> list[str]:
    """Show two generations on a display that fails at `step`; return what it was asked for."""
    asked: list[str] = []
    with UndisturbedDisplay(lambda: Fragile(step, error, asked)) as display:
        for _ in range(2):
            display.say("text")
            display.generation(RECORD)
            display.migration("text")
    return asked


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(
    "error", [OSError(5, "gone"), UnicodeEncodeError("ascii", "x", 0, 1, "no"), ValueError("no"), MemoryError()]
)
def test_a_display_that_fails_is_left_and_never_asked_again(step, error):
    before = sys.stdout
    asked = watch(step, error)
    assert asked.count(step) == 1
    assert asked[asked.index(step) + 1 :] == ([] if step in {"make", "__exit__"} else ["__exit__"])
    assert sys.stdout is before


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_what_stops_the_process_is_no_failure_of_a_display(step, kind):
    with pytest.raises(kind):
        watch(step, kind())


def test_what_a_task_prints_where_nobody_can_read_it_is_lost(monkeypatch):
    with open("/dev/full", "w", encoding="utf-8") as full:  # noqa: PTH123
        monkeypatch.setattr(sys, "stdout", full)
        with choose_display(is_json=False) as display:
            display.begin(5)
            display.say("text")
            print("from the task", flush=True)  # noqa: T201
        assert sys.stdout is full


def test_a_terminal_that_rich_fails_on_shows_nothing(monkeypatch):
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("COLUMNS", "\u00b2")
    with choose_display(is_json=False) as display:
        display.begin(5)
        display.generation(RECORD)
    assert terminal.getvalue() == ""

"""`launch` and `stop` become the scripts of that name."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING

import pytest

from tests.processes import ROOT, atoll, check_refused, run

if TYPE_CHECKING:
    from pathlib import Path

OF_THE_C_LIBRARY = 0b11 << 31
"""Signals 32 and 33 in a mask: glibc's own, which whoever started the tests may have left blocked."""
STAND_IN = '#!/bin/sh\nprintf "%s\\n" "$$" "$@"\nexec grep -E "^Sig(Ign|Blk)" /proc/self/status\n'


def left_alone() -> int:
    """Return the signals whose bits say nothing of us: glibc's, and those that a shell ignores in the background."""
    of_the_shell = [each for each in (signal.SIGINT, signal.SIGQUIT) if signal.getsignal(each) is signal.SIG_IGN]
    return OF_THE_C_LIBRARY | sum(1 << (each - 1) for each in of_the_shell)


@pytest.fixture
def path(tmp_path: Path) -> str:
    """A PATH whose bash says what it was given, and which signals it would ignore."""
    (tmp_path / "bash").write_text(STAND_IN)
    (tmp_path / "bash").chmod(0o755)
    return f"{tmp_path}:{os.environ['PATH']}"


def test_launch_passes_on_what_it_was_given_and_what_follows_the_number_as_it_is(path: str) -> None:
    given = ("--background", "--wait", "--vary", "--migration-dir", "exact", "3", "-p", "20", "--fresh", "--", "-x")
    _, script, *arguments, ignored, blocked = atoll("launch", *given, PATH=path).stdout.splitlines()
    assert script == str(ROOT / "scripts/launch_islands.sh")
    own = ["--background", "--wait", "--vary", "3", "-p", "20", "--fresh", "--", "-x"]
    assert arguments == ["--python", sys.executable, "--dir", "exact", "--session", "atoll", *own]
    assert [int(mask.split()[1], 16) & ~left_alone() for mask in (ignored, blocked)] == [0, 0]


def test_stop_passes_on_what_it_was_given_and_becomes_the_script(path: str, tmp_path: Path) -> None:
    line = f"echo $$; exec {sys.executable} cli.py stop --now --timeout 5 --dir {tmp_path}"
    outer, inner, script, *arguments, _, _ = run("sh", "-c", line, PATH=path).stdout.splitlines()
    assert inner == outer
    assert script == str(ROOT / "scripts/stop_islands.sh")
    assert arguments == ["--dir", str(tmp_path), "--timeout", "5", "--now"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["launch"], ["Missing argument 'N'"]),
        (["launch", "--bogus", "2"], ["No such option '--bogus'"]),
        (["launch", "two"], ["the number of islands must be between 1 and 999, got 'two'"]),
        (["launch", "--dir", "", "2"], ["it is empty"]),
        (["launch", "2", "--migration-dir", "x"], ["name the shared directory with --dir"]),
        (["stop", "--timeout", "soon"], ["'soon' is not a valid integer"]),
    ],
)
def test_a_mistake_in_a_launch_is_refused_in_one_line(arguments: list[str], words: list[str]) -> None:
    check_refused(atoll(*arguments), 2, *words)


def test_without_bash_a_launch_says_that_it_is_needed(tmp_path: Path) -> None:
    check_refused(atoll("launch", "2", PATH=str(tmp_path)), 2, "bash is needed to run", "launch_islands.sh")

"""Whatever watches a command, and however: it does its work, ends with its usual code and never with a traceback."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import shutil
import struct
import subprocess
import sys
import termios
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from atoll.evo.errors import StorageError
from tests.processes import ROOT, atoll, hang_s

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

pytestmark = pytest.mark.slow

READER_LEFT = 141
SETTINGS = ("-p", "12", "-g", "12", "--task", "sphere", "--migrants", "2", "--migrate-every", "4")
OWN_TASK = """
bounds = [(-1.0, 1.0)] * 3
def f(x):
    print("caf\\u00e9 \\u2026")
    return float(sum(x))
"""

EVOLVING = {
    "evolve": ("evolve", "i", *SETTINGS, "--migration-dir", "{new}"),
    "evolve --json": ("evolve", "i", *SETTINGS, "--json", "--migration-dir", "{new}"),
    "evolve what prints": (
        *("evolve", "i", "-p", "12", "-g", "12", "--migrants", "2", "--task", "{task}:f"),
        *("--migration-dir", "{new}"),
    ),
}
PRINTING = {
    "status": ("status", "--migration-dir", "{root}"),
    "status --json": ("status", "--json", "--migration-dir", "{root}"),
    "status --champions": ("status", "--champions", "--migration-dir", "{root}"),
    "status of nothing": ("status", "--migration-dir", "{empty}"),
    "tail": ("tail", "--no-follow", "--migration-dir", "{root}"),
    "tail --json": ("tail", "--no-follow", "-n", "3", "--json", "--migration-dir", "{root}"),
    "algorithms": ("algorithms",),
    "algorithms check --json": ("algorithms", "check", "ga", "--json"),
    "tasks": ("tasks",),
    "tasks --json": ("tasks", "--json"),
    "tasks check": ("tasks", "check", "{task}:f"),
    "tasks check --json": ("tasks", "check", "{task}:f", "--json"),
    "report": ("report", "{root}", "-o", "{new}.html"),
    "show": ("show", "i", "--migration-dir", "{root}"),
    "show --check": ("show", "i", "--check", "--json", "--migration-dir", "{root}"),
    "plot": ("plot", "fitness", "{root}", "-o", "{new}.png"),
    "plot --json": ("plot", "migration", "{root}", "-o", "{new}.svg", "--json"),
    "pool verify": ("pool", "verify", "--migration-dir", "{root}"),
    "pool ledger": ("pool", "ledger", "--migration-dir", "{root}"),
    "pool ledger --events": ("pool", "ledger", "--events", "--migration-dir", "{root}"),
    "pool flow": ("pool", "flow", "--migration-dir", "{root}"),
    "pool flow --csv": ("pool", "flow", "--csv", "intervals", "--migration-dir", "{root}"),
    "pool owners": ("pool", "owners", "--migration-dir", "{root}"),
    "pool prune": ("pool", "prune", "--keep", "3", "--dry-run", "--migration-dir", "{root}"),
    "pool archive": ("pool", "archive", "--migration-dir", "{copy}"),
    "doctor --pid": ("doctor", "--pid", "{living}", "--seconds", "0.2"),
    "completion": ("completion", "bash"),
    "--help": ("--help",),
    "evolve --help": ("evolve", "--help"),
    "--version": ("--version",),
}
QUIET = {
    "status --while": ("status", "--while", "{sleeper}", "--migration-dir", "{root}"),
    "an error": ("evolve", "a/b", "--migration-dir", "{new}"),
    "a wrong flag": ("status", "--no-such-flag"),
    "nothing": (),
}
"""What prints nothing on standard output, or not always."""
ENDLESS = {"status --watch": ("status", "--watch", "--migration-dir", "{root}")}
"""What ends by itself where standard output is no terminal."""
SLOW = {"doctor": ("doctor", "--migration-dir", "{root}")}
USUAL_CODES = {"an error": 2, "a wrong flag": 2, "nothing": 2}
C_LOCALE = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
NOTEBOOK = {
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "JPY_PARENT_PID": "1",
    "FORCE_COLOR": "1",
    "CLICOLOR_FORCE": "1",
    "PAGER": "cat",
}


@dataclass(frozen=True)
class Condition:
    """What watches a command.

    Attributes:
        redirect: What a shell is told.
        environment: Variables that differ.
        columns: Of the terminal that it runs on; 0 for pipes.
        lines: Of that terminal.
        pipe: What became of the pipe that standard output is: "left" or "full".
        code: How it ends that cannot print; None where it can.
    """

    redirect: str = ""
    environment: Mapping[str, str | None] = field(default_factory=dict)
    columns: int = 0
    lines: int = 24
    pipe: str = ""
    code: int | None = None


ENVIRONMENTS: dict[str, dict[str, str | None]] = {
    "Latin-1": {"PYTHONIOENCODING": "latin-1"},
    "ASCII": {"PYTHONIOENCODING": "ascii:strict"},
    "the C locale": {**C_LOCALE},
    "an ISO-8859-1 locale": {"LC_ALL": "en_US.ISO-8859-1", "LOCPATH": "{locales}"},
    "a notebook": {**NOTEBOOK},
    "an unknown backend": {"MPLBACKEND": "nonsense"},
    "no TERM": {"TERM": None},
    "a dumb terminal": {"TERM": "dumb"},
    "an unknown terminal": {"TERM": "nonsense"},
    "nonsense of columns": {"COLUMNS": "x", "LINES": "-3"},
    "no columns": {"COLUMNS": "0", "LINES": "0"},
    "one column": {"COLUMNS": "1", "LINES": "1"},
    "digits that are no number": {"COLUMNS": "\u00b2", "LINES": "\u00b2"},
    "a billion columns": {"COLUMNS": "1000000000", "LINES": "1000000000"},
    "warnings as errors": {"PYTHONWARNINGS": "error"},
    "no buffers": {"PYTHONUNBUFFERED": "1"},
}
CLOSED = {
    "no output": Condition(">&-"),
    "no errors": Condition("2>&-"),
    "no input": Condition("<&-"),
    "no streams": Condition("<&- >&- 2>&-"),
    "a full disk": Condition(">/dev/full", code=StorageError.exit_code),
    "a full disk for errors": Condition("2>/dev/full"),
    "a full disk for both": Condition(">/dev/full 2>&1", code=StorageError.exit_code),
    "output that is for reading": Condition("1</dev/null", code=StorageError.exit_code),
    "a reader that left": Condition(pipe="left", code=READER_LEFT),
    "a full pipe that does not wait": Condition(pipe="full", code=StorageError.exit_code),
}
SIZES = {
    f"{columns} x {lines}": Condition(columns=columns, lines=lines)
    for columns, lines in ((1, 1), (1, 24), (20, 5), (40, 2), (80, 24), (300, 99))
}
CONDITIONS = {
    **CLOSED,
    **{name: Condition(environment=values) for name, values in ENVIRONMENTS.items()},
    **{f"{name}, on a terminal": Condition(environment=values, columns=80) for name, values in ENVIRONMENTS.items()},
    **SIZES,
}
SHARE = 16
"""One of so many commands is tried in each condition, and each in some."""


@dataclass
class Place:
    """Two islands that have ended, a living process, and room for what a command makes."""

    folder: Path
    root: Path
    living: subprocess.Popen[bytes]
    locales: Path | None
    n: int = 0
    undisturbed: dict[str, Any] = field(default_factory=dict)
    sleepers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def fill(self, command: Sequence[str]) -> list[str]:
        """Return a command with its places filled in, each new one untouched."""
        self.n += 1
        new = self.folder / f"new-{self.n}"
        if "{copy}" in command:
            shutil.copytree(self.root, new)
        if "{sleeper}" in command:
            self.sleepers.append(subprocess.Popen(["sleep", "1.5"]))
        names = {"root": self.root, "new": new, "copy": new, "empty": self.folder / "empty", "living": self.living.pid}
        names |= {"task": self.folder / "own.py", "sleeper": self.sleepers[-1].pid if self.sleepers else 0}
        return [part.format(**names) for part in command]

    def variables(self, condition: Condition) -> dict[str, str]:
        """Return the environment of a command in a condition."""
        ours = ("PYTHON", "COLUMNS", "LINES")
        mine = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        mine |= {"TERM": "xterm-256color"}
        changed = {name: value for name, value in condition.environment.items() if value is not None}
        mine = {name: value for name, value in mine.items() if name not in condition.environment}
        return mine | {name: value.format(locales=self.locales) for name, value in changed.items()}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("r\u00e9cif\u2026")
    (folder / "own.py").write_text(OWN_TASK)
    (folder / "empty").mkdir()
    for name in ("i", "j"):
        ended = atoll("evolve", name, *SETTINGS, "--migration-dir", folder / "shared")
        assert ended.returncode == 0, ended.stderr
    living = subprocess.Popen(["sleep", "100000"])
    place = Place(folder, folder / "shared", living, _latin_1_locale(folder))
    yield place
    living.kill()
    for process in (living, *place.sleepers):
        process.wait()


def _latin_1_locale(folder: Path) -> Path | None:
    """Compile a locale whose characters are ISO-8859-1, if this machine can."""
    if shutil.which("localedef") is None:
        return None
    name = folder / "en_US.ISO-8859-1"
    subprocess.run(["localedef", "-f", "ISO-8859-1", "-i", "en_US", str(name)], check=False, capture_output=True)
    return folder if name.exists() else None


@dataclass(frozen=True)
class Ended:
    code: int
    stdout: str
    stderr: str


def run_in(place: Place, condition: Condition, command: Sequence[str]) -> Ended:
    """Run a command with that watching it."""
    whole = ["sh", "-c", f'exec "$@" {condition.redirect}', "sh", sys.executable, "cli.py", *command]
    variables = place.variables(condition)
    if condition.columns:
        return _on_a_terminal(whole, variables, condition)
    with _output(condition.pipe) as output:
        ended = subprocess.run(
            whole, cwd=ROOT, env=variables, stdout=output, stderr=subprocess.PIPE, timeout=hang_s(), check=False
        )
    return Ended(ended.returncode, *((text or b"").decode(errors="replace") for text in (ended.stdout, ended.stderr)))


@contextlib.contextmanager
def _output(kind: str) -> Iterator[int]:
    """Yield where standard output goes: a pipe that is read, one whose reader left, or one that is full."""
    if not kind:
        yield subprocess.PIPE
        return
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writer, b"x" * 4096)
    if kind == "left":
        os.close(reader)
    yield writer
    os.close(writer)
    if kind == "full":
        os.close(reader)


def _on_a_terminal(whole: Sequence[str], variables: Mapping[str, str], condition: Condition) -> Ended:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", condition.lines, condition.columns, 0, 0))
    process = subprocess.Popen(whole, cwd=ROOT, env=variables, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    written = b""
    with contextlib.suppress(OSError):  # the terminal's other side is closed
        while chunk := os.read(ours, 65536):
            written += chunk
    os.close(ours)
    return Ended(process.wait(hang_s()), written.decode(errors="replace"), "")


def lives(root: Path) -> tuple[list[dict[str, Any]], bytes]:
    """Return what an island logged of each generation, times left out, and its champion."""
    home = root / "islands/i"
    lines = map(json.loads, (home / "log.jsonl").read_text().splitlines())
    logged = [line for line in lines if line["kind"] == "generation"]
    return [{key: value for key, value in line.items() if key != "time"} for line in logged], (
        home / "champion.safetensors"
    ).read_bytes()


@pytest.mark.parametrize("name", CONDITIONS)
def test_no_command_fails_of_who_watches_it(
    name: str, place: Place, tally: Callable[..., None], *, chaos: bool
) -> None:
    condition = CONDITIONS[name]
    if "LOCPATH" in condition.environment and place.locales is None:
        pytest.skip("no ISO-8859-1 locale can be made here: apt-get install locales")
    share = 1 if chaos else SHARE
    shown = {**PRINTING, **QUIET, **({} if condition.columns else ENDLESS), **(SLOW if chaos else {})}
    first = list(CONDITIONS).index(name)
    tried = {
        command: run_in(place, condition, place.fill(arguments))
        for command, arguments in list(shown.items())[first % share :: share]
    }
    assert {command: ended for command, ended in tried.items() if not _is_usual(command, ended, condition)} == {}
    tally(34, commands=len(tried))


def _is_usual(command: str, ended: Ended, condition: Condition) -> bool:
    usual = USUAL_CODES.get(command, 0)
    codes = {usual} if condition.code is None else {condition.code, *([usual] if command in QUIET else [])}
    is_heard = condition.code is None and not condition.columns and ">&-" not in condition.redirect
    if "--json" in command and is_heard:
        assert list(map(json.loads, ended.stdout.splitlines())), (command, ended)
    words = ("Traceback", "Exception ignored", "Error")
    return ended.code in codes and not any(word in ended.stdout + ended.stderr for word in words)


@pytest.mark.parametrize("name", [*CLOSED, *ENVIRONMENTS, *SIZES])
def test_no_island_is_harmed_by_who_watches_it(
    name: str, place: Place, tally: Callable[..., None], *, chaos: bool
) -> None:
    """An environment is tried in a pipe or on a terminal, and where there is time for it in both."""
    if "LOCPATH" in CONDITIONS[name].environment and place.locales is None:
        pytest.skip("no ISO-8859-1 locale can be made here: apt-get install locales")
    first = list(CONDITIONS).index(name)
    sides = [each for each in (name, f"{name}, on a terminal") if each in CONDITIONS]
    share = 1 if chaos else len(EVOLVING)
    for side in sides if chaos else [sides[first % len(sides)]]:
        for command, arguments in list(EVOLVING.items())[first % share :: share]:
            place.undisturbed.setdefault(command, _evolved(place, Condition(), arguments))
            assert _evolved(place, CONDITIONS[side], arguments) == place.undisturbed[command], (side, command)
            tally(34, islands=1)


def _evolved(place: Place, condition: Condition, arguments: Sequence[str]) -> tuple[list[dict[str, Any]], bytes]:
    filled = place.fill(arguments)
    ended = run_in(place, condition, filled)
    assert ended.code == 0, ended
    assert "Traceback" not in ended.stdout + ended.stderr, ended
    return lives(Path(filled[-1]))


@pytest.mark.parametrize("name", ["a reader that left", "a full disk"])
def test_a_table_that_cannot_be_written_has_an_exit_code(name: str, place: Place) -> None:
    ended = run_in(place, CONDITIONS[name], place.fill(PRINTING["pool flow --csv"]))
    assert (ended.code, "Exception ignored" in ended.stderr) == (CONDITIONS[name].code, False)


@pytest.mark.parametrize("name", ["no errors", "no streams", "a full disk for errors", "a full disk for both"])
def test_an_error_has_its_exit_code_also_where_nobody_can_read_it(name: str, place: Place) -> None:
    ended = run_in(place, CONDITIONS[name], place.fill(QUIET["an error"]))
    assert (ended.code, ended.stdout, ended.stderr) == (2, "", "")

"""Real processes, started in every way, by a process that separates its children."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.processes import ROOT, hang_s, wait_until

PREAMBLE = """
import multiprocessing as mp, os, signal, subprocess, sys
from concurrent.futures import ProcessPoolExecutor
from atoll.evo.process_group import separate_children

def group(_=None):
    return os.getpgid(0)

def by_executor(how):
    with ProcessPoolExecutor(1, mp_context=mp.get_context(how)) as executor:  # one that is left open can fail at exit
        return next(executor.map(group, [0]))

PROGRAM = [sys.executable, "-S", "-c", "import os; print(os.getpgid(0))"]
"""

ON_A_TERMINAL = ("-c", "import pty, sys; pty.spawn([sys.executable, *sys.argv[1:]])")


@pytest.fixture
def perform(tmp_path: Path):
    """Run a program that begins with `PREAMBLE` and separates its children; return what it said and its exit code."""

    def performed(code: str, *before: str) -> tuple[list[str], int]:
        body = "\n".join(f"    {line}" for line in ("ours = separate_children()", *code.strip().splitlines()))
        (tmp_path / "program.py").write_text(f"{PREAMBLE}\nif __name__ == '__main__':\n{body}\n")
        ended = subprocess.run(
            [sys.executable, *before, str(tmp_path / "program.py")],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": f"{ROOT}/src"},
            capture_output=True,
            text=True,
            timeout=hang_s(),
            check=False,
        )
        assert "Traceback" not in ended.stderr, ended.stderr
        return ended.stdout.split(), ended.returncode

    yield performed
    assert not running_in(tmp_path)


def running_in(place: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            is_alive = process.status() != psutil.STATUS_ZOMBIE
            if is_alive and (Path(process.cwd()) == place or str(place / "program.py") in process.cmdline()):
                found.append(process)
        except psutil.Error:
            continue
    return found


@pytest.mark.parametrize(
    "ask",
    [
        *(f"mp.get_context('{how}').Pool(1).map(group, [0])[0]" for how in ("fork", "spawn", "forkserver")),
        *(f"by_executor('{how}')" for how in ("fork", "spawn", "forkserver")),
        "int(subprocess.run(PROGRAM, capture_output=True).stdout)",
        "int(subprocess.run(PROGRAM, capture_output=True, close_fds=False).stdout)",
        "(os.system(' '.join(map(repr, PROGRAM)) + ' > said'), int(open('said').read()))[1]",
        "int(os.popen(' '.join(map(repr, PROGRAM))).read())",
        "__import__('joblib').Parallel(2)([__import__('joblib').delayed(os.getpgid)(0)])[0]",
    ],
)
@pytest.mark.slow
def test_every_child_is_in_the_group_and_the_process_itself_is_not(perform, ask):
    said, code = perform(f"print({ask} == ours, os.getpgid(0) == ours)")
    assert (said, code) == (["True", "False"], 0)


def test_who_chooses_a_group_or_session_of_its_own_keeps_it(perform):
    said, _ = perform(
        "print(int(subprocess.run(PROGRAM, capture_output=True, process_group=0).stdout) == ours)\n"
        "print(int(subprocess.run(PROGRAM, capture_output=True, start_new_session=True).stdout) == ours)\n"
    )
    assert said == ["False", "False"]


def test_what_the_shell_of_os_system_ends_with_is_told_as_ever(perform):
    said, _ = perform("print([os.system(command) for command in ('exit 3', b'kill -9 $$', 'true')])")
    assert said == ["[768,", "9,", "0]"]


@pytest.mark.parametrize("leave", ["os.setpgid(0, 0)", "os.setsid()"])
def test_what_a_child_starts_is_where_the_child_has_gone(perform, leave):
    """A program that cannot enter the group, as from another session, would not start at all."""
    said, _ = perform(
        "if not os.fork():\n"
        f"    {leave}\n"
        "    print(int(subprocess.run(PROGRAM, capture_output=True).stdout) == os.getpgid(0), flush=True)\n"
        "    there = os.getpgid(0)\n"
        "    if not os.fork():\n"
        "        print(os.getpgid(0) == there, flush=True)\n"
        "        os._exit(0)\n"
        "    os.wait()\n"
        "    os._exit(0)\n"
        "os.wait()\n"
    )
    assert said == ["True", "True"]


def test_a_child_s_own_children_keep_the_files_that_it_has_opened(perform):
    said, _ = perform(
        "if not os.fork():\n"
        "    opened = os.pipe()\n"
        "    if not os.fork():\n"
        "        print([os.fstat(each).st_nlink for each in opened], flush=True)\n"
        "        os._exit(0)\n"
        "    os.wait()\n"
        "    os._exit(0)\n"
        "os.wait()\n"
    )
    assert said == ["[1,", "1]"]


@pytest.mark.parametrize("program", [["stty", "sane"], ["cat"]])
def test_a_terminal_stops_no_child_that_sets_it_or_reads_from_it(perform, program):
    """Programs that show their progress do so unasked, and nobody would let a stopped one go on."""
    said, _ = perform(
        f"program = subprocess.Popen({program}, stderr=subprocess.DEVNULL)\n"
        "_, status = os.waitpid(program.pid, os.WUNTRACED)\n"
        "print(os.WIFSTOPPED(status))\n"
        "os._exit(0)\n",
        *ON_A_TERMINAL,
    )
    assert said == ["False"]


def test_whoever_waits_for_any_child_does_not_wait_for_the_guard(perform):
    said, _ = perform("try:\n    os.wait()\nexcept ChildProcessError:\n    print('none')\n")
    assert said == ["none"]


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        ("pass", 0),
        ("os._exit(3)", 3),
        ("os.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM),
        ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
    ],
)
def test_however_the_process_ends_its_children_end_with_it(perform, tmp_path, end, expected):
    _, code = perform(
        "subprocess.Popen(['sleep', '1000'], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)\n"
        "if not os.fork():\n"
        "    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)\n"
        "    os.dup2(1, 2)\n"
        "    signal.pause()\n"
        f"{end}\n"
    )
    assert code == expected
    wait_until(lambda: not running_in(tmp_path), "its children to end")


def test_a_signal_to_the_group_of_the_process_does_not_reach_its_children(perform):
    """As a terminal sends Ctrl-C, and `timeout` SIGTERM."""
    said, _ = perform(
        "signal.signal(signal.SIGTERM, lambda *_: None)\n"
        "program = subprocess.Popen(['cat'], stdin=subprocess.PIPE)\n"
        "os.setpgid(0, 0)\n"
        "os.killpg(0, signal.SIGTERM)\n"
        "program.communicate()\n"
        "print(program.returncode)\n"
    )
    assert said == ["0"]


def test_without_the_guard_children_start_all_the_same(perform):
    said, _ = perform(
        "os.killpg(ours, signal.SIGKILL)\n"
        "while True:\n"
        "    try:\n"
        "        os.killpg(ours, 0)\n"
        "    except ProcessLookupError:\n"
        "        break\n"
        "print(int(subprocess.run(PROGRAM, capture_output=True).stdout) == os.getpgid(0))\n"
        "print(mp.get_context('fork').Pool(1).map(group, [0])[0] == os.getpgid(0))\n"
    )
    assert said == ["True", "True"]

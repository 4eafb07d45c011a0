"""Real signals, to real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from atoll.evo import checkpoint
from atoll.evo.paths import SharedPaths
from tests.processes import ROOT, hang_s, wait_until


def child(code):
    """Run `code` in a fresh interpreter; return its exit status and what it printed."""
    begin = "import signal, sys\nfrom atoll.evo.signals import StopSignal\n"
    answer = subprocess.run([sys.executable, "-c", begin + code], capture_output=True, text=True, check=False, cwd=ROOT)
    return answer.returncode, answer.stdout.split(), answer.stderr


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_the_first_signal_asks_and_the_second_ends(name):
    number = getattr(signal, name)
    status, said, _ = child(
        f"with StopSignal() as stop:\n"
        f"    print(stop(), stop.received)\n"
        f"    signal.raise_signal({number})\n"
        f"    print(stop(), stop.received, flush=True)\n"
        f"    signal.raise_signal({number})\n"
        f"    print('still here')\n"
    )
    assert said == ["False", "0", "True", str(int(number))]
    assert status == -number


def test_any_second_signal_ends():
    status, said, _ = child(
        "with StopSignal():\n    signal.raise_signal(2)\n    signal.raise_signal(15)\n    print('still here')"
    )
    assert (status, said) == (-15, [])


def test_an_ignored_signal_stays_ignored_and_afterwards_all_is_as_before():
    """`nohup` and a shell's background jobs ignore signals for good reason."""
    status, said, trouble = child(
        "signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        "before = [signal.getsignal(n) for n in (1, 2, 15)]\n"
        "with StopSignal() as stop:\n"
        "    signal.raise_signal(signal.SIGHUP)\n"
        "    print(stop())\n"
        "    signal.raise_signal(signal.SIGTERM)\n"
        "    signal.raise_signal(signal.SIGHUP)\n"
        "    print(stop())\n"
        "print([signal.getsignal(n) for n in (1, 2, 15)] == before)\n"
    )
    assert (status, said, trouble) == (0, ["False", "True", "True"], "")


def test_a_reader_that_has_stopped_reading_keeps_no_signal_from_being_answered():
    status, said, _ = child(
        "import os\n"
        "signal.alarm(60)\n"
        "reader, writer = os.pipe()\n"
        "os.set_blocking(writer, False)\n"
        "try:\n"
        "    while True:\n"
        "        os.write(writer, b'.')\n"
        "except BlockingIOError:\n"
        "    os.set_blocking(writer, True)\n"
        "os.dup2(writer, 2)\n"
        "with StopSignal() as stop:\n"
        "    stop.answer = lambda: 'stopping'\n"
        "    signal.raise_signal(15)\n"
        "    print(stop())\n"
    )
    assert (status, said) == (0, ["True"])


def test_a_signal_from_outside_ends_a_run_after_a_checkpoint(tmp_path):
    """The child evolves for ever; it is told to stop by a signal as soon as it has logged a generation."""
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from tests.evo.lives import configured\n"
        "from tests.evo.test_recorder import Folder\n"
        "from atoll.evo.signals import StopSignal\n"
        "class Loud(list):\n"
        "    def append(self, record):\n"
        "        super().append(record)\n"
        "        print(record.generation, flush=True)\n"
        "folder = Folder(Path(sys.argv[1]))\n"
        "folder.seen = Loud()\n"
        "with StopSignal() as stop:\n"
        "    state = folder.live(configured(generations=10**9), is_stopping=stop)\n"
        "sys.exit(0 if state.generation < 10**9 else 1)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        said = [process.stdout.readline() for _ in range(5)]
        os.kill(process.pid, signal.SIGTERM)
        said += process.stdout.readlines()
    assert process.returncode == 0
    newest = checkpoint.load_newest(SharedPaths(tmp_path).island("island-01"))
    assert newest.state.generation == int(said[-1])


# What children and other code have to do with it

FORKED = (
    "import os, time\n"
    "with StopSignal() as stop:\n"
    "    ready, tell = os.pipe()\n"
    "    child = os.fork()\n"
    "    if not child:\n"
    "        os.write(tell, b'.')\n"
    "        time.sleep(100000)\n"
    "        os._exit(7)\n"
    "    os.read(ready, 1)\n"
    "    os.kill(child, {number})\n"
    "    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), stop())\n"
)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_forked_child_takes_no_part_in_the_stop_signals_of_its_parent(number):
    """A pool ends its workers by one SIGTERM, and waits for ever for one that only takes note of it."""
    status, said, trouble = child(FORKED.format(number=int(number)))
    assert (status, said, trouble) == (0, [str(-number), "False"], "")


def test_a_signal_that_a_child_gets_before_it_is_itself_is_not_lost():
    """On a busy machine a pool is done with its work, and with its workers, before the last of them has begun."""
    status, said, trouble = child(
        "import os\n"
        "with StopSignal() as stop:\n"
        "    for _ in range(200):\n"
        "        child = os.fork()\n"
        "        if not child:\n"
        "            signal.pause()\n"
        "            os._exit(7)\n"
        "        os.kill(child, signal.SIGTERM)\n"
        "        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGTERM\n"
        "    print(stop(), signal.pthread_sigmask(signal.SIG_BLOCK, ()))\n"
    )
    assert (status, said, trouble) == (0, ["False", "set()"], "")


def test_the_first_signal_is_answered_at_once_also_in_the_middle_of_a_print():
    status, said, trouble = child(
        "import io, os\n"
        "class Raw(io.RawIOBase):\n"
        "    def writable(self):\n"
        "        return True\n"
        "    def write(self, data):\n"
        "        if not stop.received:\n"
        "            signal.raise_signal(2)\n"
        "        return len(data)\n"
        "with StopSignal() as stop:\n"
        "    stop.answer = lambda: 'stopping \\u2026'\n"
        "    sys.stderr = io.TextIOWrapper(io.BufferedWriter(Raw()), line_buffering=True)\n"
        "    print('x', file=sys.stderr)\n"
        "    print(stop())\n"
    )
    assert (status, said, trouble) == (0, ["True"], "stopping …\n")


def test_signals_that_other_code_has_taken_are_taken_back_but_not_after_the_first():
    status, said, _ = child(
        "with StopSignal() as stop:\n"
        "    signal.signal(signal.SIGINT, lambda *_: print('mine'))\n"
        "    stop()\n"
        "    signal.raise_signal(signal.SIGINT)\n"
        "    print(stop(), flush=True)\n"
        "    signal.raise_signal(signal.SIGINT)\n"
    )
    assert (status, said) == (-2, ["True"])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_that_other_code_blocks_is_heard_all_the_same(number):
    status, said, _ = child(
        f"with StopSignal() as stop:\n"
        f"    signal.pthread_sigmask(signal.SIG_BLOCK, [{number}])\n"
        f"    signal.raise_signal({number})\n"
        f"    print(stop.received, stop(), stop.received)\n"
    )
    assert (status, said) == (0, ["0", "True", str(int(number))])


def test_what_is_interruptible_is_left_in_order():
    status, said, trouble = child(
        "from atoll.evo.signals import interruptible\n"
        "signal.signal(signal.SIGINT, signal.SIG_DFL)\n"
        "try:\n"
        "    with interruptible():\n"
        "        signal.raise_signal(signal.SIGINT)\n"
        "except KeyboardInterrupt:\n"
        "    print(signal.getsignal(signal.SIGINT) is signal.SIG_DFL)\n"
    )
    assert (status, said, trouble) == (0, ["True"], "")


def test_ctrl_c_that_comes_while_a_child_is_forked_is_the_parent_s_alone():
    status, said, trouble = child(
        "from atoll.evo import signals\n"
        "with StopSignal() as stop:\n"
        "    signals._hold()\n"
        "    signal.raise_signal(signal.SIGINT)\n"
        "    stop.forget()\n"
        "    signals._let_go()\n"
        "    print('alive', stop.received)\n"
    )
    assert (status, said, trouble) == (0, ["alive", "0"], "")


PREAMBLE = """
import multiprocessing as mp, os, signal, subprocess, sys
from concurrent.futures import ProcessPoolExecutor
from atoll.evo.signals import separate_children

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

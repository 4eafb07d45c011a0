"""Real signals, to real processes."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from atoll.evo import checkpoint
from atoll.evo.paths import SharedPaths

ROOT = Path(__file__).parents[2]


def child(code):
    """Run `code` in a fresh interpreter; return its exit status and what it printed."""
    begin = "import signal, sys\nfrom atoll.evo.stopping import StopSignal\n"
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
        "from tests.evo.test_keeper import Folder\n"
        "from atoll.evo.stopping import StopSignal\n"
        "class Loud(list):\n"
        "    def append(self, record):\n"
        "        super().append(record)\n"
        "        print(record['generation'], flush=True)\n"
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
        "from atoll.evo.stopping import interruptible\n"
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
        "from atoll.evo import stopping\n"
        "with StopSignal() as stop:\n"
        "    stopping._hold()\n"
        "    signal.raise_signal(signal.SIGINT)\n"
        "    stop.forget()\n"
        "    stopping._let_go()\n"
        "    print('alive', stop.received)\n"
    )
    assert (status, said, trouble) == (0, ["alive", "0"], "")

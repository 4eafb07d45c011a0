"""Real signals, to real processes."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from evo import checkpoint
from evo.paths import SharedPaths

ROOT = Path(__file__).parents[2]


def child(code):
    """Run `code` in a fresh interpreter; return its exit status and what it printed."""
    begin = "import signal, sys\nfrom evo.stopping import StopSignal\n"
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


def test_a_signal_from_outside_ends_a_run_after_a_checkpoint(tmp_path):
    """The child evolves for ever; it is told to stop by a signal as soon as it has logged a generation."""
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from tests.evo.lives import configured\n"
        "from tests.evo.test_keeper import Folder\n"
        "from evo.stopping import StopSignal\n"
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

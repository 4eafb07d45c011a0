"""The limit is set before a numeric library can look, or the call says for which it came too late."""

import os
import subprocess
import sys

from atoll.evo.threads import NUMERIC_LIBRARIES, THREAD_VARIABLES, limit_threads


def python(code):
    """Run `code` in a fresh interpreter; return what it printed."""
    environment = {name: value for name, value in os.environ.items() if name not in THREAD_VARIABLES}
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    return answer.stdout.strip()


def test_every_library_is_told_and_the_late_ones_are_named(monkeypatch):
    for variable in THREAD_VARIABLES:
        monkeypatch.setenv(variable, "7")
    monkeypatch.setitem(sys.modules, "numba", object())
    monkeypatch.delitem(sys.modules, "scipy", raising=False)
    late = limit_threads(3)
    assert {os.environ[variable] for variable in THREAD_VARIABLES} == {"3"}
    assert "numba" in late
    assert "scipy" not in late
    assert set(late) <= set(NUMERIC_LIBRARIES)


def test_an_early_call_is_in_time_for_all_and_holds_the_process_to_one_thread():
    code = (
        "from atoll.evo.threads import limit_threads\n"
        "late = limit_threads(1)\n"
        "import numpy, os\n"
        "numpy.ones((300, 300)) @ numpy.ones((300, 300))\n"
        "print(late, len(os.listdir('/proc/self/task')))"
    )
    assert python(code) == "() 1"

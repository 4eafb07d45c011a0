from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import ROOT, UNTIL_LOOKED_AT, atoll, check_refused, hang_s, run, wait_until

pytestmark = pytest.mark.slow


def test_a_sleeping_process_is_called_asleep() -> None:
    with subprocess.Popen(["sleep", "6000"]) as child:
        ended = atoll("doctor", "--pid", str(child.pid), "--seconds", "0.3")
        assert ended.returncode == 0, ended.stderr
        assert "verdict: asleep" in ended.stdout
        assert f"sleep {child.pid}: 1 thread (1 main)" in ended.stdout
        assert "; sleep 6000\n" in ended.stdout
        told = json.loads(atoll("doctor", "--pid", str(child.pid), "--seconds", "0.3", "--json").stdout)
        child.kill()
    assert told["diagnosis"]["condition"] == "asleep"
    assert [finding["topic"] for finding in told["findings"]] == ["seen", f"sleep {child.pid}", "verdict"]
    assert told["seen"]["processes"][0]["threads"][0]["maker"] == "main"


def test_a_command_is_run_to_its_end_and_looked_at(tmp_path: Path) -> None:
    script = f"{UNTIL_LOOKED_AT}\nprint('hello')\nwait_for_looks()\nraise SystemExit(3)"
    ended = atoll("doctor", "--json", "--migration-dir", tmp_path / "s", "--", sys.executable, "-c", script)
    assert ended.returncode == 0, ended.stderr
    assert "hello" in ended.stderr
    told = json.loads(ended.stdout)
    assert told["findings"][0] == {"topic": "command", "verdict": "warning", "evidence": "ended with 3", "advice": ""}
    assert told["seen"]["has_ended"]
    assert not (tmp_path / "s").exists()


def test_what_cannot_be_looked_at_is_refused_in_one_line() -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    check_refused(atoll("doctor", "--pid", str(gone.pid)), 2, f"--pid {gone.pid}", "no such process")
    check_refused(atoll("doctor", "--pid", "0"), 2, "--pid")
    check_refused(atoll("doctor", "--pid", "many"), 2, "--pid")
    check_refused(atoll("doctor", "--pid", "1", "--", "true"), 2, "either")
    check_refused(atoll("doctor", "--", "./no-such-program"), 2, "./no-such-program", "No such file")
    check_refused(atoll("doctor", "--", "/etc/passwd"), 2, "/etc/passwd", "denied")
    check_refused(atoll("doctor", "--", "true"), 2, "ended before")


AS_NOBODY = """
import os, sys
import cli, atoll.scripts.doctor.examine
os.setgroups([]); os.setgid(65534); os.setuid(65534)
sys.argv = ["cli.py", "doctor", "--pid", sys.argv[1]]
cli.main()
"""
"""An account that may not even read this Python's files: what it needs is imported before."""


@pytest.mark.skipif(os.getuid() != 0, reason="not permitted to be another account")
def test_a_process_of_another_account_is_refused_with_its_owner() -> None:
    with subprocess.Popen(["sleep", "6000"]) as child:
        ended = run(sys.executable, "-c", AS_NOBODY, str(child.pid))
        child.kill()
    check_refused(ended, 7, f"--pid {child.pid}", "another account (uid 0)", "as root")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_who_stops_the_doctor_stops_the_command_and_gets_the_findings(number: signal.Signals) -> None:
    command = [sys.executable, "cli.py", "doctor", "--", "sleep", "6001"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as doctor:
        wait_until(lambda: _children(doctor.pid) == ["sleep"], "the command to run")
        [child] = _child_pids(doctor.pid)
        wait_until(lambda: _sleeps(doctor.pid), "its first look")
        doctor.send_signal(number)
        out, _ = doctor.communicate(timeout=hang_s())
    assert doctor.returncode == 128 + number
    assert f"command: ended with {-number}" in out
    assert "verdict: asleep" in out
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


def _child_pids(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _children(pid: int) -> list[str]:
    return [Path(f"/proc/{child}/comm").read_text().strip() for child in _child_pids(pid)]


def _sleeps(pid: int) -> bool:
    """Whether it sleeps as it does between two looks."""
    return "nanosleep" in Path(f"/proc/{pid}/wchan").read_text()

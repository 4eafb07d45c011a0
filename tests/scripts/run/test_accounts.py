"""Laws of two accounts that share a directory: whatever may be read is shown, and what may not is named."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.processes import ROOT, run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

pytestmark = pytest.mark.slow

A, B, GROUP = 1001, 1002, 2000
UMASKS = ("000", "002", "022", "077")
SOME = [("002", "002", True), ("002", "077", True), ("002", "002", False), ("000", "022", False), ("022", "022", True)]
SOME += [("077", "022", True)]
ALL = [*product(UMASKS, UMASKS, [True, False])]
QUICK = ("-p", "12", "-g", "6", "--task", "sphere", "--migrants", "2", "--migrate-every", "3")
LIBRARIES = f"{ROOT}/src:{Path(np.__file__).parent.parent}"
READING = [
    ("status",),
    ("status", "--json"),
    ("tail", "--no-follow"),
    ("tail", "--no-follow", "--json"),
    ("pool", "verify"),
    ("pool", "owners"),
    ("pool", "ledger"),
    ("pool", "ledger", "--events"),
    ("pool", "flow"),
    ("pool", "flow", "--csv", "shares"),
    ("pool", "flow", "--csv", "differentiation"),
]
TRIAL = "import subprocess, sys, atoll.cli, numpy; subprocess.run([sys.executable, '-c', ''], check=True)"
PLOTS = ("fitness", "diversity", "ancestry", "migration", "champions")


@dataclass(frozen=True)
class Ended:
    """What became of one command."""

    code: int
    out: str
    err: str


@pytest.fixture(scope="module")
def python() -> str:
    """A Python that other accounts may run, with this project and its libraries."""
    if os.geteuid():
        pytest.skip("acting as other accounts is not permitted to this one")
    other = shutil.which(f"python3.{sys.version_info.minor}", path="/usr/local/bin:/usr/bin")
    for candidate in filter(None, (sys.executable, other)):
        if run(*become(A), candidate, "-c", TRIAL, PYTHONPATH=LIBRARIES).returncode == 0:
            return candidate
    pytest.skip("running this Python or these libraries is not permitted to other accounts")


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that all may enter, unlike those of pytest."""
    folder = Path(tempfile.mkdtemp(prefix="atoll-accounts-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def become(account: int) -> tuple[str, ...]:
    """Return how to run what follows as an account in the group."""
    return "setpriv", f"--reuid={account}", f"--regid={account}", f"--groups={GROUP}"


def act(python: str, account: int, umask: str, home: Path, commands: list[list[str]]) -> dict[tuple[str, ...], Ended]:
    """Perform commands as an account in the group; return what became of each."""
    program = (python, "-m", "tests.scripts.run.accounts", umask, json.dumps(commands))
    places = {"PYTHONPATH": LIBRARIES, "HOME": str(home), "MPLCONFIGDIR": str(home), "PYTHONDONTWRITEBYTECODE": "1"}
    ended = run(*become(account), *program, **places)
    assert ended.returncode == 0, ended.stderr
    return {
        tuple(command): Ended(code, out, err) for command, code, out, err in map(json.loads, ended.stdout.splitlines())
    }


def shared_directory(place: Path, umask: str, *, has_setgid: bool) -> Path:
    """Make the directory as account A would: the group's, under its umask."""
    root = place / "shared"
    root.mkdir()
    os.chown(root, A, GROUP)
    root.chmod(0o777 & ~int(umask, 8) | 0o2000 * has_setgid)
    return root


def look(python: str, account: int, place: Path, root: Path, plots: Sequence[str]) -> dict[tuple[str, ...], Ended]:
    """Let an account look with every command that tells something, and draw."""
    own = place / str(account)
    own.mkdir()
    os.chown(own, account, account)
    commands = [[*command, "--migration-dir", str(root)] for command in READING]
    commands += [["plot", what, str(root), "-o", str(own / f"{what}.png")] for what in plots]
    commands += [["report", str(root), "-o", str(own / "report.html")]]
    return act(python, account, "022", own, commands)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "umask_a" in metafunc.fixturenames:
        combinations = ALL if metafunc.config.getoption("--chaos") else SOME
        metafunc.parametrize(("umask_a", "umask_b", "has_setgid"), combinations)


def test_every_command_works_on_what_may_be_read_and_names_what_may_not(
    python: str, place: Path, umask_a: str, umask_b: str, tally: Callable[..., None], *, has_setgid: bool, chaos: bool
) -> None:
    commands = 0
    root = shared_directory(place, umask_a, has_setgid=has_setgid)
    evolving = [["evolve", "alice", *QUICK, "--migration-dir", str(root)]]
    [alice] = act(python, A, umask_a, place, evolving).values()
    assert alice.code == 0, alice.err
    evolving = [["evolve", "bob", *QUICK, "--foreign-pool", "--migration-dir", str(root)]]
    [bob] = act(python, B, umask_b, place, evolving).values()
    is_let_in = umask_a == "000" or (umask_a == "002" and has_setgid)
    assert bob.code == (0 if is_let_in else 2 if umask_a == "077" else 7), bob.err
    if bob.code:
        assert bob.err.count("\n") == 1
    if bob.code == 7:
        assert f"belongs to account {A}" in bob.err
        assert "umask 002" in bob.err
        assert "chmod g+s" in bob.err
    for account, is_open in ((A, True), (B, umask_a != "077")):
        for command, ended in look(python, account, place, root, PLOTS if chaos else PLOTS[:1]).items():
            commands += 1
            assert "Traceback" not in ended.err, (account, command, ended.err)
            if not is_open:
                assert (ended.code, ended.err.count("\n")) == (2, 1), (account, command, ended)
                continue
            is_verify, is_status = command[:2] == ("pool", "verify"), command[0] == "status"
            assert ended.code in ({0, 9} if is_verify else {0}), (account, command, ended)
            if umask_b == "077" and is_let_in and account == A:
                shown = ended.out + ended.err
                assert "bob" in shown, (account, command, ended)
                assert "Permission denied" in shown or command[1] == "owners", (account, command, ended)
                assert not is_status or "unreadable" in shown, (account, command, ended)
    tally(33, pairs_of_accounts=1, commands=commands)


def test_archiving_another_account_s_run_is_refused_until_that_is_allowed(python: str, place: Path) -> None:
    root = shared_directory(place, "002", has_setgid=True)
    act(python, A, "002", place, [["evolve", "alice", *QUICK, "--migration-dir", str(root)]])
    archive = ["pool", "archive", "--migration-dir", str(root)]
    told = act(python, B, "002", place, [archive, [*archive, "--foreign-pool"]])
    refused, done = told.values()
    assert (refused.code, refused.err.count("\n")) == (7, 1)
    assert f"belongs to account {A}" in refused.err
    assert "--foreign-pool" in refused.err
    assert done.code == 0, done.err
    assert list((root / "old").iterdir())

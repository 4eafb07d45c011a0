"""A fresh process for each measurement: libraries look at their environment once, and threads stay once made."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from atoll.evo.resources import THREAD_VARIABLES
from atoll.scripts.lab.kit.machine import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping

UNTOUCHED: Mapping[str, str] = {}


def run(name: str, settings: Mapping[str, Any], environment: Mapping[str, str] = UNTOUCHED) -> dict[str, Any]:
    """Do a piece of `work` in a process whose thread variables are these and no others, and return what it found.

    Raises:
        RuntimeError: It did not end well.
    """
    inherited = {variable: value for variable, value in os.environ.items() if variable not in THREAD_VARIABLES}
    command = [sys.executable, "-m", "atoll.scripts.lab.parallel.threads.work", name, json.dumps(settings)]
    ended = subprocess.run(  # noqa: S603 - our own interpreter and our own module
        command,
        cwd=ROOT,
        env={**inherited, **environment},
        capture_output=True,
        errors="replace",
        check=False,
    )
    if ended.returncode:
        raise RuntimeError(
            f"{name} {settings}: expected it to end with 0, got {ended.returncode}: {ended.stderr[-500:]}"
        )
    return dict(json.loads(ended.stdout))

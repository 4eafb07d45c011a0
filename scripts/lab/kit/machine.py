"""Provenance of a row: machine, versions, commit. Figures of two machines never share a table."""

from __future__ import annotations

import os
import platform
import socket
import subprocess
from importlib.metadata import version
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[3]
MEASURED = ("cli.py", "evo", "migration", "scripts", "pyproject.toml", "constraints.txt")
"""What may change a figure: other files may be edited while something is measured."""


def describe() -> dict[str, str | int | bool]:
    """Return the processor, the cores this process may use, and the versions that decide the speed.

    `dirty` is false only where git says that what is measured is what the commit holds.
    """
    commit, changes = _git("rev-parse", "HEAD"), _git("status", "--porcelain", "--", *MEASURED)
    return {
        "host": socket.gethostname(),
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "numpy": version("numpy"),
        "torch": version("torch"),
        "commit": commit or "unknown",
        "dirty": commit is None or changes != "",
    }


def filesystem(path: Path) -> str:
    """Return the kind of file system that holds `path`: what a sync costs depends on it."""
    kinds = {mount.mountpoint: mount.fstype for mount in psutil.disk_partitions(all=True)}
    places = (path.resolve(), *path.resolve().parents)
    return next((kinds[str(place)] for place in places if str(place) in kinds), "unknown")


def _git(*arguments: str) -> str | None:
    """Return what git says of the sources; None where there is no git, or they are not under its control."""
    try:
        done = subprocess.run(  # noqa: S603 - arguments of our own
            ["git", "-C", str(ROOT), *arguments],  # noqa: S607
            capture_output=True,
            check=False,
            errors="replace",
        )
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _cpu_model(info: Path = Path("/proc/cpuinfo")) -> str:
    lines = info.read_text(encoding="utf-8", errors="replace").splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()

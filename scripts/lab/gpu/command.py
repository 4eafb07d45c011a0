"""Experiment 5, a GPU: `python -m scripts.lab gpu` measures all of it in eight minutes, each part in its own process.

A part that fails, or takes too long, is a row that says so, and the next one runs. With `--emulate` the kernel's PTX on
the processor stands for the GPU, to try it all where there is none.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from atoll.scripts.lab.gpu.parts import PARTS, QUICK, Sizes
from atoll.scripts.lab.gpu.tables import tables
from atoll.scripts.lab.kit import rows
from atoll.scripts.lab.kit.machine import ROOT
from atoll.scripts.lab.kit.study import DEFAULTS_SHOWN, quick_option

if TYPE_CHECKING:
    from collections.abc import Sequence

BENCH = "gpu"
PROGRAM = ("-m", "scripts.lab")
SCALING = "scaling"
SCALING_S = 150.0
LEAST_S = 5.0
"""Seconds below which no further part is begun."""


@click.command(context_settings=DEFAULTS_SHOWN)
@click.argument("names", nargs=-1, type=click.Choice([*PARTS, SCALING]))
@click.option("--out", default=Path("bench"), type=click.Path(path_type=Path), help="Where rows go.")
@click.option("--limit-s", default=450.0, help="Seconds for all parts together.")
@click.option("--emulate", "is_emulated", is_flag=True, help="Run the GPU's program on the processor.")
@quick_option
@click.option("--inside", "is_inside", is_flag=True, hidden=True, help="Measure one part in this process.")
@click.option("--table", "kept", type=click.Path(path_type=Path, exists=True), help="Only print these rows' tables.")
def main(
    *,
    names: tuple[str, ...],
    out: Path,
    limit_s: float,
    is_emulated: bool,
    quick: bool,
    is_inside: bool,
    kept: Path | None,
) -> None:
    """Measure the named parts, or all, and print their tables."""
    if is_inside:
        for name in names:
            measure(name, out, is_emulated=is_emulated, is_quick=quick)
        return
    if kept is None:
        flags = [*(["--emulate"] if is_emulated else []), *(["--quick"] if quick else [])]
        run_parts([name for name in (*PARTS, SCALING) if name in names or not names], out, flags, limit_s=limit_s)
    click.echo(tables([row for run in rows.read(kept or out) if run.bench == BENCH for row in run.rows]))


def measure(name: str, out: Path, *, is_emulated: bool, is_quick: bool) -> None:
    """Measure one part here, and write its rows."""
    written = rows.Rows(out, BENCH, {"part": name, "device": "emulated" if is_emulated else "cuda:0"})
    part, _ = PARTS[name]
    part(written.write, QUICK if is_quick else Sizes(), is_emulated=is_emulated)


def run_parts(names: Sequence[str], out: Path, flags: Sequence[str], *, limit_s: float) -> None:
    """Run each part in a process of its own, within what is left of the time; what went wrong is a row."""
    ends_s = time.monotonic() + limit_s
    failures = rows.Rows(out, BENCH, {"device": "emulated" if "--emulate" in flags else "cuda:0"})
    for name in names:
        started_s = time.monotonic()
        left_s = min(ends_s - started_s, PARTS[name][1] if name in PARTS else SCALING_S)
        error = "no time was left" if left_s < LEAST_S else _run(_arguments(name, out, flags), left_s)
        took_s = time.monotonic() - started_s
        click.echo(f"{name}: {took_s:.0f} s{f', FAILED: {error}' if error else ''}", err=True)
        if error:
            failures.write({"part": name, "what": "failed", "error": error, "wall_s": took_s})


def _arguments(name: str, out: Path, flags: Sequence[str]) -> list[str]:
    if name in PARTS:
        return ["gpu", name, "--inside", "--out", str(out), *flags]
    return ["bench", SCALING, "--rounds", "2", "--out", str(out), *(flag for flag in flags if flag == "--quick")]


def _run(arguments: Sequence[str], limit_s: float) -> str:
    """Run a study in a process group of its own, and return why it failed; empty if it did not."""
    command = [sys.executable, *PROGRAM, *arguments]
    with subprocess.Popen(  # noqa: S603 - our own program
        command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, process_group=0
    ) as process:
        try:
            _, said = process.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            return f"given up after {limit_s:.0f} s"
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # what it started, too
    return "" if process.returncode == 0 else (said.strip().splitlines() or [f"exit status {process.returncode}"])[-1]

"""The commands `launch` and `stop`: this process becomes the shell script of that name."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path
from typing import NoReturn

import click

from atoll.evo.errors import ConfigError
from atoll.scripts.commands.options import directory_option

SCRIPTS = Path(__file__).resolve().parents[1]
IGNORED_BY_PYTHON = ("SIGPIPE", "SIGXFSZ")


@click.command(context_settings={"allow_interspersed_args": False})
@click.argument("n", metavar="N")
@click.argument("arguments", metavar="[EVOLVE OPTIONS]...", nargs=-1, type=click.UNPROCESSED)
@click.option("--team", is_flag=True, help="N processes that live one island and share its evaluation.")
@click.option("--island", metavar="NAME", help="The island of a team; island-01 where none is named.")
@click.option("--tmux", is_flag=True, help="One tmux pane per island and one with the status of all.")
@click.option("--background", is_flag=True, help="Background processes; output in DIR/launch/.")
@click.option("--wait", is_flag=True, help="With --background: show the status until all have ended.")
@click.option("--vary", is_flag=True, help="Give each island its own breeding settings.")
@click.option("--fresh", is_flag=True, help="Archive the run that is there first, finished or not.")
@click.option("--session", default="atoll", show_default=True, metavar="NAME", help="The tmux session.")
@directory_option("--dir", "--migration-dir")
def launch(n: str, arguments: tuple[str, ...], island: str | None, session: str, root: Path, **flags: bool) -> None:
    """Start N islands as ordinary processes, island-01 ... island-N, or with --team N processes that live one island.

    What follows N is for each of them, as 'evolve' takes it. They get tmux panes where there are tmux and a terminal,
    else they are in the background. Those that run already are left alone; a finished run is archived first, an
    unfinished one is resumed.

    \b
    Examples:
      python cli.py launch 4 -p 250 -g 150 --migrate-every 10
      python cli.py launch --background --wait 4 -p 16 -g 75 --migrate-every 25
      python cli.py launch --island big --team 8 -p 1000 -g 150
    """
    given = [f"--{name}" for name, is_given in flags.items() if is_given]
    where = ("--dir", str(root), "--session", session, *(("--island", island) if island is not None else ()))
    _become("launch_islands.sh", "--python", sys.executable, *where, *given, n, *arguments)


@click.command()
@click.option("--now", "is_now", is_flag=True, help="Kill at once; nothing is lost up to the last checkpoint.")
@click.option(
    "--timeout", "timeout_s", type=click.IntRange(min=0), default=60, show_default=True, help="Seconds to wait."
)
@directory_option("--dir", "--migration-dir")
def stop(root: Path, timeout_s: int, is_now: bool) -> None:
    """Stop the islands that were launched, and no other process: each finishes its generation first.

    \b
    Examples:
      python cli.py stop
      python cli.py stop --now --dir exact/
    """
    given = ["--now"] if is_now else []
    _become("stop_islands.sh", "--dir", str(root), "--timeout", str(timeout_s), *given)


def _become(script: str, *arguments: str) -> NoReturn:
    bash = shutil.which("bash")
    if bash is None:
        raise ConfigError(f"bash is needed to run {SCRIPTS / script}, and is not installed")
    for name in IGNORED_BY_PYTHON:
        signal.signal(getattr(signal, name), signal.SIG_DFL)  # which a script and its islands would inherit
    os.execv(bash, ["bash", str(SCRIPTS / script), *arguments])  # noqa: S606 - no shell, and our own script

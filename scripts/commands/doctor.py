"""The command `doctor`; it imports what it needs when it is called."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from atoll.evo.paths import SharedPaths
from atoll.scripts.commands.options import shared_options

if TYPE_CHECKING:
    from pathlib import Path


@click.command(context_settings={"allow_interspersed_args": False})
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@click.option("--pid", type=click.IntRange(min=1), help="Explain the threads of this process and its descendants.")
@click.option(
    "--seconds",
    type=click.FloatRange(min=0.2),
    default=5.0,
    show_default=True,
    help="How long to look at --pid; a COMMAND is looked at until it ends.",
)
@shared_options
def doctor(command: tuple[str, ...], pid: int | None, seconds: float, root: Path, is_json: bool) -> int:
    """Explain threads, and the shared file system: what would keep islands, or anything, from running at full speed.

    With --pid or a COMMAND, look at that from outside instead: which threads there are and who made them, whether they
    work side by side, one after another, or in each other's way, and what to change.

    \b
    Examples:
      python cli.py doctor
      python cli.py doctor --pid 4242
      python cli.py doctor -- python my_script.py
    """
    if pid is not None and command:
        raise click.UsageError("give either --pid or a COMMAND")
    if pid is not None:
        from atoll.scripts.doctor.attach import show_process

        return show_process(pid, seconds=seconds, is_json=is_json)
    if command:
        from atoll.scripts.doctor.attach import show_command

        return show_command(command, is_json=is_json)
    from atoll.scripts.doctor.examine import show

    return show(SharedPaths(root), is_json=is_json)

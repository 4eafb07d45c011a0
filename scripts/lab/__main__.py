"""The door of the laboratory: `python -m scripts.lab` lists every study, `python -m scripts.lab STUDY ...` runs one.

A study's module is loaded when it is called, so the list waits for nothing.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

import click

from atoll.evo.resources import limit_threads
from atoll.scripts.commands.group import explain

if TYPE_CHECKING:
    from collections.abc import Sequence

PROGRAM = "python -m scripts.lab"


STUDIES = {
    "compare": ("parallel.compare", "Trials on ten backends: run, resume, committed, report"),
    "gpu": ("gpu.command", "A GPU against processors: bits, rates, trials, energy"),
    "simulate": ("parallel.simulate.sweep", "Parallel trials on 5 to 128 workers, simulated"),
    "threads": ("parallel.threads.experiments", "Threads of PyTorch: law, population, limit, tables"),
    "bench": ("speed.command", "Benchmarks of evaluator, island, scaling and exchange"),
    "beside": ("speed.beside", "Evaluation of creatures beside another checkout, in pairs"),
    "beside-report": ("speed.beside:report", "Tables of the same, from their rows"),
    "bench-report": ("speed.command:report", "Tables and plot of the benchmarks, from their rows"),
    "team": ("speed.team", "Teams of 1 to 64 processes beside one process"),
    "islands": ("islands.equal_budgets.report", "Islands at equal budgets of evaluations: run, report, check"),
    "algorithms": ("islands.algorithms.tables", "Algorithms at equal budgets of evaluations: run, report"),
    "peers": ("islands.peers.tables", "Islands against pygmo's archipelago"),
    "peer-algorithms": ("islands.peers.alone", "Algorithms against pygmo's of the same kind"),
    "exchanging": ("islands.exchanging", "Topologies and numbers of migrants, on creatures"),
    "joining": ("islands.lifespans:joining", "Islands that come late, or leave early"),
    "killed": ("islands.lifespans:killed", "The cost of an island's death to the others"),
    "defaults": ("islands.creatures:defaults", "Default settings, each against its neighbours"),
    "criteria": ("islands.criteria", "A finished run against the three criteria of the plan"),
    "relive": ("islands.relive", "Whole populations through an ended run: run, plot"),
    "evolvability": ("islands.creatures:evolvability", "An island against random search at equal evaluations"),
    "champions": ("islands.creatures:champions", "Audit of a run's champions on unseen courses"),
    "cartpole": ("islands.cartpole", "Time until one of two islands balances a pole"),
}
"""Each study's command as `module:name` in this folder (`main` without a name), and what it is about, in a line."""


class Door(click.Group):
    """Lists the studies, and loads one when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - see `click.Group`
        """Return the studies in their order."""
        return list(STUDIES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - see `click.Group`
        """Load a study."""
        if cmd_name not in STUDIES:
            return None
        module, _, name = STUDIES[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(f"atoll.scripts.lab.{module}"), name or "main")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - see `click.Group`
        """Write a line for each study, loading none."""
        with formatter.section("Studies"):
            formatter.write_dl([(name, topic) for name, (_, topic) in STUDIES.items()])

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - Click's type
        """Run a study on one thread: several of them run processes side by side."""
        limit_threads(1)
        return super().invoke(ctx)


@click.group(cls=Door, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.pass_context
def main(context: click.Context) -> None:
    """Run a study of the laboratory: what compares, experiments and measures. Findings rest on its rows."""
    if not context.invoked_subcommand:
        click.echo(context.get_help())


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a study and return its exit code; a failure that Atoll or Click explains becomes one line."""
    return explain(lambda: main.main(arguments, prog_name=PROGRAM, standalone_mode=False), what="study")


if __name__ == "__main__":
    sys.exit(run())

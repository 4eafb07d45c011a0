"""Checks that every implementation of a contract must pass, whoever wrote it."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from atoll.evo.tasks import check

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from atoll.evo.genome import Floats
    from atoll.evo.runlog import Record
    from atoll.evo.tasks.task import Task


PROMISES = {"layout", "answer", "corners", "again", "neighbours", "another process", "input"}
"""The findings that must be good to the last bit; whether a task is slow, or stochastic, is its own affair."""


def broken_promises(task: Task) -> list[str]:
    """Return which words of `atoll.evo.tasks.task.Task` a task does not keep, as `tasks check` tells it."""

    def elsewhere(n: int, episode: int) -> Floats:
        return task.evaluate(check.sample_genes(task, n), episode)

    findings = check.check_task(task, task.name, elsewhere=elsewhere)
    return [f"{each.check}: {each.says}" for each in findings if each.check in PROMISES and each.outcome != check.OK]


def check_archipelago(
    logs: Mapping[str, Sequence[Record]], ledgers: Mapping[str, Sequence[Record]], *, generations: int
) -> None:
    """Hold what the islands of an archipelago wrote against what every archipelago owes.

    - Parent and child share an island unless a ledger entry says otherwise: genes of an ancestor that was not there
      before came with an immigrant of that generation that is in the ledger with them.
    - Every island grows: each evaluates its whole population in every generation, and its immigrants besides.
    - Every island's clock advances: each has every generation once, in order.

    Args:
        logs: The log of each island, as it stands.
        ledgers: The ledger of each island, as it stands.
        generations: Which one all have reached.
    """
    assert logs
    assert logs.keys() == ledgers.keys(), "each island has a log and a ledger"
    for island, log in logs.items():
        lines = [record for record in log if record["kind"] == "generation"]
        assert [line["generation"] for line in lines] == [*range(generations + 1)], f"the clock of {island}"
        assert lines[0]["ancestry"] == {island: 1.0}, f"founders of {island} that are not its own"
        population = lines[0]["evaluations"]
        assert population > 0
        for before, line in pairwise(lines):
            events = [event for event in ledgers[island] if event["generation"] == line["generation"]]
            imported = [event for event in events if event["kind"] == "imported"]
            scored = [event for event in events if event["kind"] == "refused" and "fitness_here" in event]
            lived = line["evaluations"] - before["evaluations"]
            residents = line.get("population", population)
            assert lived == residents + len(imported) + len(scored), f"growth of {island} at {line['generation']}"
            assert line["imports"] - before["imports"] == len(imported)
            brought = {name for event in imported for name in event["ancestry"]}
            strangers = line["ancestry"].keys() - before["ancestry"].keys() - brought
            assert not strangers, f"genes of {strangers} on {island} at {line['generation']}, and no ledger says whence"

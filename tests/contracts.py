"""Checks that every implementation of a contract must pass, whoever wrote it."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from atoll.evo.runlog import Record
    from atoll.evo.tasks.task import Task


def check_task(task: Task, *, n: int = 17, episode: int = 3) -> None:
    """Hold a task against the words of `atoll.evo.tasks.task.Task`.

    A score is a function of the genome and the episode alone: not of its place, its neighbours or what was asked
    before; and it leaves the genomes as they were.
    """
    assert task.name
    assert task.backend
    assert all(isinstance(value, int | float | str | bool) for value in task.options.values())
    genes = task.spec.sample(np.random.default_rng(20), n)
    before = genes.tobytes()
    whole = task.evaluate(genes, episode)
    assert genes.tobytes() == before, "the genomes were changed"
    assert isinstance(whole, np.ndarray)
    assert (whole.shape, whole.dtype) == ((n,), np.dtype(np.float32))
    assert np.isfinite(whole).all()
    kept = whole.copy()
    alone = [task.evaluate(genes[i : i + 1], episode) for i in range(n)]
    chunks = [task.evaluate(part, episode) for part in (genes[:1], genes[1 : n // 2], genes[n // 2 :])]
    backwards = task.evaluate(genes[::-1], episode)[::-1]
    again = task.evaluate(genes, episode)
    for other in (np.concatenate(alone), np.concatenate(chunks), backwards, again):
        assert other.tobytes() == kept.tobytes(), "a score depends on more than the genome and the episode"
    assert whole.tobytes() == kept.tobytes(), "a later call changed an earlier answer"


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
            assert lived == population + len(imported) + len(scored), f"growth of {island} at {line['generation']}"
            assert line["imports"] - before["imports"] == len(imported)
            brought = {name for event in imported for name in event["ancestry"]}
            strangers = line["ancestry"].keys() - before["ancestry"].keys() - brought
            assert not strangers, f"genes of {strangers} on {island} at {line['generation']}, and no ledger says whence"

"""Checks that every implementation of a contract must pass, whoever wrote it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from evo.tasks.task import Task


def check_task(task: Task, *, n: int = 17, episode: int = 3) -> None:
    """Hold a task against the words of `evo.tasks.task.Task`.

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

"""The same genomes scored in another process: `python -m evo.tasks.elsewhere`, whose last line is the scores."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from atoll.evo.errors import TaskError
from atoll.evo.tasks.contract import sample_genes
from atoll.evo.tasks.loader import load_task

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atoll.evo.genome import Floats

ROOT = Path(__file__).parents[3]


def score_elsewhere(
    name: str, options: Mapping[str, str], backend: str, n: int, episode: int, *, directory: Path | None = None
) -> Floats:
    """Return the scores of the first n sample genomes, computed by a process of its own.

    Args:
        name: What `--task` says.
        options: The pairs of `-o`.
        backend: What is to compute the fitness.
        n: How many genomes.
        episode: Of which generation.
        directory: Where `name` was typed, if the task may have changed the working directory of this process since.

    Raises:
        TaskError: The process failed.
    """
    work = json.dumps({"name": name, "options": dict(options), "backend": backend, "n": n, "episode": episode})
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    ended = subprocess.run(  # noqa: S603 - ourselves
        [sys.executable, "-P", "-m", "atoll.evo.tasks.elsewhere", work],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONIOENCODING": "utf-8:replace"},
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if ended.returncode:
        last = (ended.stderr.strip().splitlines() or [f"exit code {ended.returncode}"])[-1]
        raise TaskError(f"another process fails where this one does not: {last}")
    scores: Floats = np.array(json.loads(ended.stdout.splitlines()[-1]), dtype=np.float32)
    return scores


def main(work: str) -> None:
    """Score what `work` describes and print the numbers."""
    order = json.loads(work)
    task = load_task(order["name"], order["options"], backend=order["backend"])
    scores = task.evaluate(sample_genes(task, order["n"]), order["episode"])
    sys.stdout.write(f"\n{json.dumps(scores.tolist())}\n")


if __name__ == "__main__":
    main(sys.argv[1])

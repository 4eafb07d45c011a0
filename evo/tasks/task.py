"""What a problem must offer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atoll.evo.genome import Floats, GenomeSpec

OptionValue = int | float | str | bool


class Task(Protocol):
    """A problem: a genome layout and a fitness to maximise.

    Attributes:
        name: How `--task` names it.
        options: Every option and its value; together with `name` and `spec` this identifies the problem.
        backend: What computes the fitness; backends of one task agree bit for bit.
        spec: The genome layout.
    """

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def options(self) -> Mapping[str, OptionValue]: ...  # noqa: D102

    @property
    def backend(self) -> str: ...  # noqa: D102

    @property
    def spec(self) -> GenomeSpec: ...  # noqa: D102

    def evaluate(self, genes: Floats, episode: int) -> Floats:
        """Score genomes; larger is better.

        Args:
            genes: Genomes, float32 [P, D]; must not be changed.
            episode: The generation. A deterministic task ignores it; a stochastic one derives its noise from it,
                the same for every individual and every island.

        Returns:
            Fitness, finite float32 [P]; the score of a genome depends on neither its place nor its neighbours.
        """
        ...


def task_identity(task: Task) -> dict[str, Any]:
    """Return what makes two tasks the same problem, and a genome readable.

    A task in a user's file adds the file's hash, in an attribute `source_sha256`: what differs in nothing else can be
    evolved on together, but not be compared.
    """
    source = getattr(task, "source_sha256", None)
    return {
        "name": task.name,
        "options": dict(task.options),
        "genome_sha256": task.spec.sha256,
        "segments": task.spec.to_rows(),
        **({"source_sha256": source} if source else {}),
    }


def build_of(task: Task) -> str:
    """Return what a task says of its backend beyond the name, in an attribute `build`; few have anything to say."""
    return str(getattr(task, "build", ""))

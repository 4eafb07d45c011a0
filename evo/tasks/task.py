"""The contract of a task: what a problem must offer, what identifies it, and how `-o name=value` is read."""

from __future__ import annotations

import contextlib
import math
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from atoll.evo.errors import ConfigError, TaskError, suggest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atoll.evo.genome import Floats, GenomeSpec

OptionValue = int | float | str | bool

TRUTHS = {"true": True, "false": False}
MAX_WHOLE = 2**53
FIRST_FRESH_EPISODE = 1_000_000_001
"""From here on episodes are no generation's, but fresh ones for whoever is to be champion.

It comes right after the last generation that can be, so that a long run still has numbers below 2^31: some generators
take no larger seed.
"""
MAX_WORD = 1000


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
            episode: The generation, or the number of a fresh episode for whoever is to be champion
                (`FIRST_FRESH_EPISODE`). A deterministic task ignores it; a stochastic one derives its noise from it,
                the same for every individual and every island.

        Returns:
            Fitness, finite float32 [P]; the score of a genome depends on neither its place nor its neighbours.
        """
        ...


def task_identity(task: Task) -> dict[str, Any]:
    """Return what makes two tasks the same problem, and a genome readable.

    A task in a user's file adds the file's hash: what differs in nothing else can be evolved on, but not be compared.
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


def is_deterministic(task: Task) -> bool:
    """Say whether a task scores a genome alike in every episode: if it says so itself, by an attribute of this name."""
    return getattr(task, "is_deterministic", False) is True


def episode_name(episode: int) -> str:
    """Name an episode for people: by its generation, if it is one's."""
    return f"generation {episode}" if episode < FIRST_FRESH_EPISODE else f"fresh episode {episode}"


def score(task: Task, genes: Floats, *, episode: int) -> Floats:
    """Evaluate genomes [P, D] and check what came back, float32 [P].

    Raises:
        TaskError: Wrong shape, wrong type, or not finite.
    """
    fitness = task.evaluate(genes, episode)
    expected = (len(genes),)
    if not isinstance(fitness, np.ndarray) or fitness.shape != expected or fitness.dtype != np.float32:
        got = f"{fitness.dtype} {fitness.shape}" if isinstance(fitness, np.ndarray) else type(fitness).__name__
        raise TaskError(f"task {task.name}: evaluate must return float32 {expected}, got {got}")
    bad = np.flatnonzero(~np.isfinite(fitness))
    if len(bad):
        raise TaskError(
            f"task {task.name}: fitness must be finite, got {fitness[bad[0]]} for genome {bad[0]} of "
            f"{episode_name(episode)} ({len(bad)} of {len(fitness)} are not); score a failure with a low number instead"
        )
    return fitness


def parse_options(
    task: str, options: Mapping[str, str], defaults: Mapping[str, OptionValue], *, also: str = ""
) -> dict[str, OptionValue]:
    """Read `-o name=value` pairs, each as the type of its default; `also` says what can be given beside them.

    Raises:
        ConfigError: A name is unknown, or a value is not of the option's type.
    """
    for name in options:
        if name not in defaults:
            known = f"known are {', '.join(filter(None, [*defaults, also]))}" if defaults else "it has none"
            raise ConfigError(f"task {task} has no option {name!r}{suggest(name, defaults)}; {known}")
    return {name: _parse(name, text, type(defaults[name])) for name, text in options.items()}


def parse_arguments(options: Mapping[str, str], prefix: str) -> dict[str, OptionValue]:
    """Read the pairs whose name begins with `prefix`: arguments without a known type, so each as what it looks like.

    That is a truth, a whole number, a number, or else a word; ConfigError if a name or a value cannot be one.
    """
    given = {name.removeprefix(prefix): text for name, text in options.items() if name.startswith(prefix)}
    for name in given:
        if not name.isidentifier():
            raise ConfigError(f"-o {prefix}{name}: an argument's name is letters, digits and _, got {name!r}")
    return {name: _guess(f"{prefix}{name}", text) for name, text in given.items()}


def _guess(name: str, text: str) -> OptionValue:
    if text.lower() in TRUTHS:
        return TRUTHS[text.lower()]
    value: OptionValue = text
    for kind in (float, int):
        with contextlib.suppress(ValueError):
            value = kind(text)
    check_value(name, value)
    return value


def _parse(name: str, text: str, kind: type) -> OptionValue:
    if kind is bool and text.lower() in TRUTHS:
        return TRUTHS[text.lower()]
    if kind is bool:
        raise ConfigError(f"-o {name} must be true or false, got {text!r}")
    try:
        value: OptionValue = kind(text)
    except ValueError:
        raise ConfigError(f"-o {name} must be of type {kind.__name__}, got {text!r}") from None
    check_value(name, value)
    return value


def check_value(name: str, value: OptionValue) -> None:
    """Raise ConfigError unless an option's value can be written to the files of an island and read back."""
    if isinstance(value, str):
        is_plain = value.isprintable() and len(value) <= MAX_WORD
        allowed = f"at most {MAX_WORD} printable characters"
    else:
        is_plain = math.isfinite(value) and (isinstance(value, float) or abs(value) <= MAX_WHOLE)
        allowed = "a finite number, and within 2^53 of 0 if whole"
    if not is_plain:
        raise ConfigError(f"-o {name} must be {allowed}, got {str(value)[:MAX_WORD]!r}")

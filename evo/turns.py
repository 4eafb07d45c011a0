"""Turns of islands in one process (cooperative multitasking): one joint evaluation for all who ask for one.

An island is a generator, and asks for nothing but what it yields:

    Request: an evaluation, whose `Answer` it is sent
    Pause:   others go first

All who ask are answered by one call of the task for each episode, since a score depends on neither place nor
neighbours (`atoll.evo.tasks.task.Task.evaluate`). Whoever is a generation ahead is answered when the others have caught
up: so islands that began together stay together, and share each call. Nobody waits for an island that is further away.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np

from atoll.evo.tasks.task import is_deterministic, score

if TYPE_CHECKING:
    from atoll.evo.genome import Floats
    from atoll.evo.tasks.task import Task

FIRST_PAUSE_S = 0.002
LONGEST_PAUSE_S = 0.5

T = TypeVar("T")


class Pause(Enum):
    """A pause of an island, in which others go first."""

    PUBLISHED = auto()  # until whoever else publishes now has done so
    WAITING = auto()  # until it can be asked again: what it waits for is not there


@dataclass(frozen=True)
class Request:
    """An evaluation that an island asks for: of `genes` [P, D] in an episode, on its way from `generation` on."""

    task: Task
    genes: Floats
    generation: int
    episode: int


@dataclass(frozen=True)
class Answer:
    """The fitness of what was asked for, checked, [P]; and its share, by genomes, of the seconds of the joint call."""

    fitness: Floats
    evaluate_s: float


Evaluate = Callable[[Request], "Floats"]
"""What scores the genomes of a request, checked, [P]."""
Asking = Generator[Request, Answer, T]
"""A computation that asks for evaluations, and returns a T."""
Life = Generator[Request | Pause, Answer | None, T]
"""The life of an island, which also pauses; after a pause it is sent None."""


def by_itself(request: Request) -> Floats:
    """Score what is asked for in this process."""
    return score(request.task, request.genes, episode=request.episode)


def back_off(n: int, waiting: Sequence[str]) -> None:  # noqa: ARG001 - it is all the same who waits
    """Sleep before all who wait are asked again, for the n-th time in a row: each time twice as long, up to 0.5 s."""
    time.sleep(min(FIRST_PAUSE_S * 2.0 ** min(n - 1, 16), LONGEST_PAUSE_S))


def take_turns(
    lives: Mapping[str, Life[T] | Asking[T]],
    *,
    is_stopping: Callable[[], bool] = lambda: False,
    idle: Callable[[int, Sequence[str]], object] = back_off,
    evaluate: Evaluate = by_itself,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, T]:
    """Let islands live by turns until all have ended, and return what each returned; the first error ends all.

    Args:
        lives: The islands, by name.
        is_stopping: Asked where a joint call of the task fails; True leaves it at that.
        idle: Called where all who are left wait, with how many times in a row that is so, and their names.
        evaluate: What scores the genomes of a joint call.
        clock: Seconds from anywhere.
    """
    turns: dict[str, Request | Pause | _End[T]] = {}
    ready: dict[str, Answer | Exception | None] = dict.fromkeys(lives)
    n_idle = 0
    try:
        while ready:
            turns |= _go_on(lives, ready)
            answers = answer(_due(turns), is_stopping=is_stopping, evaluate=evaluate, clock=clock)
            waiting = [name for name, turn in turns.items() if turn is Pause.WAITING]
            is_idle = not answers and waiting == list(ready)
            n_idle = n_idle + 1 if is_idle else 0
            if is_idle:
                idle(n_idle, waiting)
            ready = answers | dict.fromkeys(waiting)
    finally:
        for life in lives.values():
            life.close()
    return {name: turn.value for name, turn in turns.items() if isinstance(turn, _End)}


def answer(
    requests: Mapping[str, Request],
    *,
    is_stopping: Callable[[], bool],
    evaluate: Evaluate,
    clock: Callable[[], float],
) -> dict[str, Answer | Exception]:
    """Answer all who ask: a call for each task and each episode in which its genomes may score differently."""
    groups: dict[tuple[int, int], dict[str, Request]] = {}
    for name, request in requests.items():
        key = id(request.task), 0 if is_deterministic(request.task) else request.episode
        groups.setdefault(key, {})[name] = request
    answers: dict[str, Answer | Exception] = {}
    for group in groups.values():
        answers |= _together(group, is_stopping=is_stopping, evaluate=evaluate, clock=clock)
    return answers


@dataclass(frozen=True)
class _End(Generic[T]):
    """The end of a life, and what it returned."""

    value: T


def _go_on(
    lives: Mapping[str, Life[T] | Asking[T]], ready: Mapping[str, Answer | Exception | None]
) -> dict[str, Request | Pause | _End[T]]:
    """Let each go on, with its answer, until it asks, waits or ends; nobody imports before all have published."""
    turns: dict[str, Request | Pause | _End[T]] = {}
    while ready:
        turns |= {name: _turn(lives[name], sent) for name, sent in ready.items()}
        ready = {name: None for name in ready if turns[name] is Pause.PUBLISHED}
    return turns


def _turn(life: Life[T] | Asking[T], sent: Answer | Exception | None) -> Request | Pause | _End[T]:
    try:
        return life.throw(sent) if isinstance(sent, Exception) else life.send(sent)  # type: ignore[arg-type]
    except StopIteration as ending:
        return _End(ending.value)


def _due(turns: Mapping[str, object]) -> dict[str, Request]:
    """Return the requests that are answered now: not those of islands that are one generation ahead of another's."""
    requests = {name: turn for name, turn in turns.items() if isinstance(turn, Request)}
    generations = {request.generation for request in requests.values()}
    return {name: request for name, request in requests.items() if request.generation - 1 not in generations}


def _together(
    requests: Mapping[str, Request],
    *,
    is_stopping: Callable[[], bool],
    evaluate: Evaluate,
    clock: Callable[[], float],
) -> dict[str, Answer | Exception]:
    """Answer requests of one task by one call; if that fails, by one call each, so that the error hits who asked."""
    asked = list(requests.values())
    genes = asked[0].genes if len(asked) == 1 else np.concatenate([request.genes for request in asked])
    started_s = clock()
    try:
        fitness = evaluate(replace(asked[0], genes=genes))
    except Exception as error:
        if len(asked) == 1 or is_stopping():  # a signal has also ended what the task had started
            return dict.fromkeys(requests, error)
        each = [
            _together({name: one}, is_stopping=is_stopping, evaluate=evaluate, clock=clock)
            for name, one in requests.items()
        ]
        return {name: told for answers in each for name, told in answers.items()}
    evaluate_s = clock() - started_s
    parts = np.split(fitness, np.cumsum([len(request.genes) for request in asked])[:-1])
    return {
        name: Answer(part, evaluate_s * len(part) / max(len(fitness), 1))
        for name, part in zip(requests, parts, strict=True)
    }

"""Plan of the comparison of algorithms, written before a test seed is run: problems, contenders, runs, and the rule.

Nothing is tuned: each algorithm has the settings that its field gives it, as a user meets it. The GA has those that it
had before others could be chosen (`atoll.scripts.lab.kit.former`).

The rule by which the default algorithm of a kind of task is chosen. Creatures: of all contenders of one population, the
one whose champions score the highest median on unseen courses at 12,000 evaluations (neural controller, 8 courses),
unless the GA is decidedly better than it on one of the four problems of creatures at 12,000 or 37,750; then the next.
Other tasks of real genes: the algorithm that is decidedly better than the GA on the most functions, less those on which
it is decidedly worse; the GA if that is no more than none. Gates or whole numbers: the GA. "Decidedly" is a rank test,
corrected for the number of comparisons of its table (Holm), p at most 0.05. Whatever the seeds say is published. The
environment has no part in the rule.

A run is known by all that decides its result (`Job.key`), so equal ones are run once. Pure.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from atoll.evo import strict_json
from atoll.evo.algorithms.choice import MOST_GENES_OF_CMA, STRATEGIES, default_population
from atoll.evo.config import CMA, DE, GA, SEP_CMA, SNES
from atoll.evo.errors import ConfigError
from atoll.evo.tasks.loader import GYM
from atoll.scripts.lab.islands.budgeted import Arm

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from atoll.evo.settings import Value

FIRST_TEST_SEED, FIRST_SEED_OF_CREATURES, SEEDS = 3001, 4001, 20
"""None of them was run for any choice; the pilots had 901 to 911. Creatures had 3001 to 3020 before their bodies could
break, which was chosen by what those champions did; those rows are kept."""
MARKS = (12_000, 37_750, 200_000)
OTHERS = (SNES, SEP_CMA, CMA, DE)
REFERENCE: dict[str, Value] = {"topology": "ring", "migrants": 5, "migrate_every": 10}
ISLANDS = 4
ONE_MIGRANT = "1 migrant"
"""In place of five; added for strategies after five were seen to do them harm, as the default since then."""


@dataclass(frozen=True)
class Problem:
    """A task with a budget.

    Attributes:
        genes: Genes of a genome, D.
        marks: Numbers of evaluations at which the champion of then is audited; the last is the budget.
        short: The last mark of all but the GA and SNES.
        has_islands: Islands and isolated islands of an algorithm compete too.
    """

    name: str
    task: str
    options: Mapping[str, str]
    genes: int
    marks: tuple[int, ...]
    short: int
    has_islands: bool = False

    @property
    def is_function(self) -> bool:
        """Whether it is a mathematical function, whose best value is all there is to it."""
        return not self.is_walk and not self.is_environment

    @property
    def is_walk(self) -> bool:
        """Whether its champions are audited on unseen courses."""
        return self.task == "creatures"

    @property
    def is_environment(self) -> bool:
        """Whether it is an environment of Gymnasium, where every episode is another one."""
        return self.task.startswith(GYM)

    @property
    def first_seed(self) -> int:
        """The first of its test seeds."""
        return FIRST_SEED_OF_CREATURES if self.is_walk else FIRST_TEST_SEED


BREAKING = {"breaking_m_s": "20"}


def _walk(controller: str, courses: int, genes: int, *, has_islands: bool = False) -> Problem:
    options = {"controller": controller, "courses": str(courses), **BREAKING}
    name = f"{controller}, {courses} course{'s' * (courses > 1)}"
    return Problem(name, "creatures", options, genes, MARKS, MARKS[1], has_islands=has_islands)


_TEN = {"dimensions": "10", "offset": "0.3", "rotated": "true"}
PROBLEMS = (
    _walk("neural", 8, 521, has_islands=True),
    _walk("neural", 1, 521),
    _walk("oscillator", 8, 468),
    _walk("oscillator", 1, 468),
    Problem(
        "creatures, 3 courses", "creatures", {"courses": "3", **BREAKING}, 521, (12_000,), 12_000, has_islands=True
    ),
    Problem("rotated ellipsoid", "ellipsoid", _TEN, 10, (60_000,), 60_000, has_islands=True),
    Problem("rotated Rastrigin", "rastrigin", _TEN, 10, (60_000,), 60_000, has_islands=True),
    Problem("Schwefel", "schwefel", {"dimensions": "20"}, 20, (60_000,), 60_000, has_islands=True),
    Problem("Pendulum", f"{GYM}Pendulum-v1", {}, 41, (2_500,), 2_500),
)
"""Creatures as users meet them, the problems of *When do islands help?* that have real genes, and an environment."""
TARGETS = {"rotated ellipsoid": -408.413, "rotated Rastrigin": -4.49585, "Schwefel": -0.0420426}
"""Of the functions: the final targets of that page."""


@dataclass(frozen=True)
class Job:
    """One run."""

    problem: Problem
    arm: Arm
    seed: int
    marks: tuple[int, ...]

    @property
    def key(self) -> str:
        """Name all that decides the result: 16 hexadecimal digits."""
        decides = {
            "task": self.problem.task,
            "options": dict(self.problem.options),
            "marks": list(self.marks),
            "islands": self.arm.islands,
            "population": self.arm.population,
            "settings": self.arm.settings,
            "seed": self.seed,
        }
        return hashlib.sha256(strict_json.encode(decides)).hexdigest()[:16]


def contenders(problem: Problem) -> list[Arm]:
    """Return all that compete on a problem: each algorithm alone, and islands of each in all kinds."""
    names = [GA, *(each for each in OTHERS if each != CMA or problem.genes <= MOST_GENES_OF_CMA)]
    alone = [Arm(each, 1, size(each, problem.genes), settings(each)) for each in names]
    if not problem.has_islands:
        return alone
    split = [(each, max(size(each, problem.genes) // (ISLANDS if each == GA else 1), 8)) for each in names]
    alike = [(each, n, {**settings(each), **same_size(each)}) for each, n in split]
    apart: dict[str, Value] = {**REFERENCE, "topology": "none"}
    return [
        *alone,
        *(Arm(f"{ISLANDS} x {each}", ISLANDS, n, {**own, **REFERENCE}) for each, n, own in alike),
        *(Arm(f"{ISLANDS} x {each}, isolated", ISLANDS, n, {**own, **apart}) for each, n, own in alike),
        *(
            Arm(f"{ISLANDS} x {each}, {ONE_MIGRANT}", ISLANDS, n, {**own, **REFERENCE, "migrants": 1})
            for each, n, own in alike
            if each in STRATEGIES
        ),
    ]


def settings(algorithm: str) -> dict[str, Value]:
    """Return what an algorithm is given beside its population."""
    return {"algorithm": algorithm}


def same_size(algorithm: str) -> dict[str, Value]:
    """Return what keeps the samples of islands in lockstep as large as they are."""
    return {"restart_growth": 1} if algorithm in {SEP_CMA, CMA} else {}


def size(algorithm: str, genes: int) -> int:
    """Return the individuals of a generation that an algorithm has by itself."""
    return default_population(algorithm, genes)


def jobs(problems: Sequence[Problem], numbers: Iterable[int]) -> list[Job]:
    """Return all runs by the number of their test seed, from 0: who is cut short has compared all on fewer seeds."""
    return [
        Job(problem, arm, problem.first_seed + n, marks(problem, arm))
        for n in numbers
        for problem in problems
        for arm in contenders(problem)
    ]


def marks(problem: Problem, arm: Arm) -> tuple[int, ...]:
    """Return where a contender's champion is audited: the long budget is for the GA and SNES alone."""
    is_long = arm.name in {GA, SNES}
    return tuple(mark for mark in problem.marks if is_long or mark <= problem.short)


def named(names: Iterable[str]) -> tuple[Problem, ...]:
    """Return the problems of these names, all if none is named; ConfigError if one is not known."""
    wanted, known = set(names), [problem.name for problem in PROBLEMS]
    unknown = sorted(wanted.difference(known))
    if unknown:
        raise ConfigError(f"no problem is called {', '.join(unknown)}; known are {'; '.join(known)}")
    return tuple(problem for problem in PROBLEMS if not wanted or problem.name in wanted)

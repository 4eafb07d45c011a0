"""What a creature is worth on courses that it was not trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atoll.evo.tasks.creatures import course
from atoll.evo.tasks.creatures.audit import UNSEEN_COURSES
from atoll.evo.tasks.creatures.fitness import score

if TYPE_CHECKING:
    from collections.abc import Callable

    from atoll.evo.genome import Floats
    from atoll.evo.runlog import Record
    from atoll.evo.tasks.creatures.task import Creatures


def walk_unseen(creatures: Creatures) -> Callable[[Floats], Record]:
    """Return what walks a genome [D] over 40 unseen courses: `unseen_fitness` and `unseen_pellets`, means over them.

    They are those of `atoll.evo.tasks.creatures.audit.Audit`, at the speed of the backend.
    """
    courses = range(course.UNSEEN, course.UNSEEN + UNSEEN_COURSES)
    pellets = course.lay(courses, creatures.pellets.shape[1])

    def walk(genome: Floats) -> Record:
        lived = creatures.simulate(genome[None], pellets=pellets)
        return {"unseen_fitness": float(score(lived)[0]), "unseen_pellets": float(lived.collected.mean())}

    return walk

"""The benches, in the order in which they run."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from atoll.evo.tasks.creatures.task import CreatureOptions, Creatures
from atoll.scripts.lab.kit.rows import Rows
from atoll.scripts.lab.speed import evaluator, exchange, generation, island, scaling
from atoll.scripts.lab.speed.pairs import measure

if TYPE_CHECKING:
    from atoll.scripts.lab.kit.rows import Run
    from atoll.scripts.lab.speed.pairs import Case
    from atoll.scripts.lab.speed.plan import Plan
    from atoll.scripts.lab.speed.tables import Table


class Bench(Protocol):
    """What every bench is."""

    def cases(self, plan: Plan, place: Path) -> list[Case]:
        """Return what a round measures; files go into `place`, an empty folder."""
        ...

    def tables(self, run: Run) -> list[Table]:
        """Derive the tables from the rows alone."""
        ...


BENCHES: dict[str, Bench] = {
    "evaluator": evaluator,
    "generation": generation,
    "island": island,
    "scaling": scaling,
    "exchange": exchange,
}


def run(name: str, plan: Plan, folder: Path) -> None:
    """Measure one bench and write its rows to `folder`, where its files lie as long as it runs."""
    rows = Rows(folder, name, {**plan.settings(), "build": Creatures(CreatureOptions()).build})
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=folder) as place:
        measure(BENCHES[name].cases(plan, Path(place)), rounds=plan.rounds, write=rows.write)

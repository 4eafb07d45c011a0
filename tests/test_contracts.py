"""A contract's check must notice who breaks it; else those that pass it have shown nothing."""

import numpy as np
import pytest

from tests.contracts import check_task
from tests.problems import Hill, Weather


class Relative(Hill):
    """Scores a genome by its neighbours."""

    def score(self, total, episode):  # noqa: ARG002
        return total - total.mean()


class Ordered(Hill):
    """Scores a genome by its place."""

    def score(self, total, episode):  # noqa: ARG002
        return total + np.arange(len(total))


class Forgetful(Hill):
    """Scores by what it was asked before."""

    def score(self, total, episode):  # noqa: ARG002
        return total + len(self.asked)


class Careless(Hill):
    """Changes the genomes it is shown."""

    def evaluate(self, genes, episode):
        answer = super().evaluate(genes, episode)
        genes[0] = 0
        return answer


class Thrifty(Hill):
    """Answers in one array for ever."""

    shelf = np.zeros(100, dtype=np.float32)

    def evaluate(self, genes, episode):
        answer = self.shelf[: len(genes)]
        answer[:] = super().evaluate(genes, episode)
        return answer


class Exact(Hill):
    """Answers in float64."""

    def evaluate(self, genes, episode):
        return super().evaluate(genes, episode).astype(np.float64)


class Lost(Hill):
    """Blows up and says so by a number that is none."""

    def score(self, total, episode):  # noqa: ARG002
        return np.where(total > np.median(total), np.nan, total)


class Nameless(Hill):
    name = ""


@pytest.mark.parametrize("task", [Hill(), Weather()])
def test_a_task_that_keeps_the_contract_passes(task):
    check_task(task)


@pytest.mark.parametrize("kind", [Relative, Ordered, Forgetful, Careless, Thrifty, Exact, Lost, Nameless])
def test_a_task_that_breaks_the_contract_is_noticed(kind):
    with pytest.raises(AssertionError):
        check_task(kind())

from __future__ import annotations

import pytest

from atoll.scripts.lab.parallel.threads import experiments as law
from atoll.scripts.lab.parallel.threads import work as child
from atoll.scripts.processes.makers import OPENBLAS, OPENMP, PYTHON, TORCH


def row(k: int, m: int, **changes: object) -> law.Row:
    """Return a count that keeps the law."""
    found = {
        "what": "law",
        "part": "law",
        "k": k,
        "m": m,
        "torch_threads": m,
        "threads_started": 1,
        "threads_numpy": 1,
        "threads_torch": 1,
        "threads_set": m,
        "threads_peak": law.expected(k, m),
        "makers": {"main": 1, PYTHON: k, OPENMP: k * (m - 1), TORCH: m - 1},
    }
    return {**found, **changes}


@pytest.mark.parametrize("k", law.PYTHON_THREADS)
@pytest.mark.parametrize("m", law.TORCH_THREADS)
def test_the_makers_add_up_to_the_law(k: int, m: int) -> None:
    kept = row(k, m)
    assert law.by_makers(kept) == law.expected(k, m) == sum(kept["makers"].values())


def test_a_count_off_the_law_is_told() -> None:
    kept, off = row(2, 4), row(3, 4, threads_peak=17)
    assert "confirmed by all 1 counts" in law.law_tables([kept])[0].markdown()
    text = law.law_tables([kept, off])[0].markdown()
    assert "not what was counted at k=3, m=4: [17]" in text
    assert "confirmed" not in text


def test_what_is_published_is_taken_apart_to_the_last_thread() -> None:
    for line, (workers, seen) in zip(law.decomposition().lines, law.PUBLISHED, strict=True):
        assert line[0] == seen
        assert line[-2] + line[-1] == seen
        assert line[-2] == 1 + 63 + 64 * workers + 1


@pytest.mark.slow
@pytest.mark.parametrize(("k", "m"), [(1, 1), (2, 3)])
def test_the_law_holds_here(k: int, m: int) -> None:
    found = child.run("law", {"k": k, "m": m, "main_works": False}, law.ONE_BLAS)
    assert found["threads_peak"] == law.expected(k, m)
    makers = {"main": 1, PYTHON: k, OPENMP: k * (m - 1), TORCH: m - 1}
    assert found["makers"] == {name: n for name, n in makers.items() if n}


@pytest.mark.slow
def test_a_main_thread_that_calculates_has_a_team_and_openblas_its_pool() -> None:
    works = child.run("law", {"k": 1, "m": 3, "main_works": True}, {"OPENBLAS_NUM_THREADS": "2"})
    assert works["makers"][OPENMP] == 2 * 2
    assert law.by_makers({"what": "law", "part": "main works too", "k": 1, "m": 3, **works}) == works["threads_peak"]
    assert works["makers"].get(OPENBLAS, 0) == works["threads_numpy"] - 1

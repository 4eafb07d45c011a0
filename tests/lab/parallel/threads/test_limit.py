from __future__ import annotations

import os

import pytest

from atoll.scripts.lab.parallel.threads import work as child
from atoll.scripts.lab.parallel.threads.experiments import WAYS
from atoll.scripts.lab.parallel.threads.experiments import limit_tables as tables


def test_a_limit_is_in_force_if_nobody_helps() -> None:
    facts = {"what": "limit", "wall_s": 1.0, "cpu_s": 2.0, "torch_threads": 2, "threads_after": 3}
    helped, alone = ({**facts, "how": how, "helper_cpu_s": s} for how, s in (("none", 1.0), ("before_import", 0.0)))
    [grid] = tables([alone, helped])
    assert [(line[0], line[3], line[-1]) for line in grid.lines] == [
        (WAYS["none"], "0.50", "no"),
        (WAYS["before_import"], "0.00", "yes"),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("how", WAYS)
def test_the_environment_works_before_the_import_and_the_function_afterwards(how: str) -> None:
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("one core: PyTorch starts with one thread anyway")
    found = child.run("limit", {"how": how})
    is_alone = found["helper_cpu_s"] < 0.2 * found["cpu_s"]
    assert is_alone == (how in {"before_import", "set_num_threads", "set_num_threads_after_an_operation"})

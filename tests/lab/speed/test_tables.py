from __future__ import annotations

import pytest

from atoll.scripts.lab.speed.tables import Figure, Table

GOLDEN = """\
**Speeds**

| what     | median | min to max         | n | target     | held |
| -------- | ------ | ------------------ | - | ---------- | ---- |
| fast     | 2.5    | 1 to 4             | 4 |            |      |
| enough   | 0.25   | 0.2 to 0.3         | 3 | ≥ 0.25     | yes  |
| too slow | 12,346 | 0.123 to 1,000,000 | 3 | ≤ 4        | no   |
| between  | 2      | 2 to 2             | 1 | ≥ 1, ≤ 1.5 | no   |"""


def test_a_table_is_markdown_and_readable_as_it_is() -> None:
    figures = [
        Figure("fast", [4.0, 1.0, 2.0, 3.0]),
        Figure("enough", [0.25, 0.2, 0.3], at_least=0.25),
        Figure("never measured", []),
        Figure("too slow", [0.1234, 12345.6, 999999.6], at_most=4),
        Figure("between", [2.0], at_least=1, at_most=1.5),
    ]
    assert Table("Speeds", figures).markdown() == GOLDEN


def test_a_table_without_figures_is_nothing() -> None:
    assert Table("Speeds", [Figure("never measured", [])]).markdown() == ""


@pytest.mark.parametrize(("values", "is_held"), [([1, 2, 9], True), ([1, 3, 9], False), ([2, 2], True)])
def test_the_median_is_what_is_held_against_the_target(values: list[float], *, is_held: bool) -> None:
    assert Figure("", values, at_most=2).is_held is is_held

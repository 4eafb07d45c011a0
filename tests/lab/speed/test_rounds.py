"""Every round measures every case once; only what one round measured is compared, and its median is held."""

from __future__ import annotations

import pytest

from atoll.scripts.lab.speed.rounds import Case, Figure, Table, by_round, measure, ratios, values


def recorded(events: list[str], name: str, rounds: int | None = None) -> Case:
    def find():
        events.append(name)
        return [{"what": name}]

    return Case(find, rounds)


def test_every_round_measures_every_case_once_in_an_order_of_its_own() -> None:
    events: list[str] = []
    measure([recorded(events, name) for name in "abcdef"], rounds=20, write=lambda _: None)
    rounds = [tuple(events[i : i + 6]) for i in range(0, len(events), 6)]
    assert len(rounds) == 21
    assert {tuple(sorted(each)) for each in rounds} == {tuple("abcdef")}
    assert len(set(rounds)) > 15


def test_the_first_round_warms_up_and_is_not_written() -> None:
    written: list[dict] = []
    measure([recorded([], "a")], rounds=3, write=written.append)
    assert [row["repetition"] for row in written] == [0, 1, 2]


def test_what_takes_long_is_measured_in_few_rounds_and_not_to_warm_up() -> None:
    events: list[str] = []
    written: list[dict] = []
    measure([recorded(events, "slow", 2), recorded([], "fast")], rounds=5, write=written.append)
    assert events == ["slow"] * 2
    assert [row["repetition"] for row in written if row["what"] == "slow"] == [0, 1]


def test_a_row_is_written_before_anything_else_is_measured() -> None:
    """What was measured before a failure is there after it."""
    events: list[str] = []
    cases = [recorded(events, name) for name in "ab"]
    measure(cases, rounds=2, write=lambda row: events.append(f"write {row['what']}"))
    for i in range(2, len(events), 2):
        assert events[i + 1] == f"write {events[i]}"


def test_only_what_one_round_measured_is_compared() -> None:
    rows = [
        {"repetition": 1, "what": "a", "x": 30.0},
        {"repetition": 0, "what": "a", "x": 10.0},
        {"repetition": 0, "what": "b", "x": 5.0},
        {"repetition": 1, "what": "b", "x": 10.0},
        {"repetition": 2, "what": "a", "x": 7.0},
    ]
    rounds = by_round(rows, "what")
    assert ratios(rounds, ("a",), ("b",), lambda row: row["x"]) == [2.0, 3.0]
    assert values(rounds, ("a",), lambda row: row["x"]) == [10.0, 30.0, 7.0]


def test_a_failure_is_no_round() -> None:
    def fail():
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        measure([Case(fail)], rounds=1, write=lambda _: None)


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

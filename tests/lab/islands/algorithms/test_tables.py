"""Tables of the comparison of algorithms follow from rows alone: a line for each contender, and nothing for nobody."""

from __future__ import annotations

import pytest

from atoll.evo import runlog
from atoll.evo.config import GA, SEP_CMA, SNES
from atoll.scripts.lab.islands.algorithms import plan
from atoll.scripts.lab.islands.algorithms.plan import MARKS
from atoll.scripts.lab.islands.algorithms.run import ROWS
from atoll.scripts.lab.islands.algorithms.tables import environments, functions, soundness, strategies, walks
from tests.lab import door
from tests.lab.islands.algorithms.made import ENVIRONMENT, FUNCTION, WALK, job_of, row, rows_of

FEW = rows_of(*plan.jobs([WALK, FUNCTION, ENVIRONMENT], range(3)), gain=2.0)


def names(block):
    """Return the second column of a table, its heading left out."""
    return [line.split("|")[2].strip() for line in block.splitlines()[2:]]


def cells(block, name):
    """Return the cells of a contender's line."""
    (line,) = [line for line in block.splitlines() if f"| {name} " in line]
    return [cell.strip() for cell in line.split("|")[1:-1]]


def test_each_contender_that_has_rows_has_a_line_and_no_other():
    assert names(functions(FEW)) == [arm.name for arm in plan.contenders(FUNCTION)]
    assert names(walks(FEW, MARKS[0])) == [arm.name for arm in plan.contenders(WALK)]
    assert names(walks(FEW, MARKS[-1])) == [GA, SNES]  # the long budget
    assert names(soundness(FEW)) == names(walks(FEW, MARKS[0]))
    only = rows_of(job_of(SNES, problem=WALK, number=0))
    assert names(walks(only, MARKS[0])) == [SNES]
    assert functions(only) == environments(only) == ""


def test_nothing_was_run_is_no_text(tmp_path):
    assert [functions({}), environments({}), soundness({}), strategies({}), walks({}, MARKS[0])] == [""] * 5
    assert door.call("algorithms", "report", "--out", tmp_path) == (0, "\n")


def test_a_contender_is_held_against_the_ga_seed_by_seed():
    ga, snes = cells(walks(FEW, MARKS[0]), GA), cells(walks(FEW, MARKS[0]), SNES)
    assert ga[2:] == ["3", "6.12 [6.09, 6.15]", "0.0612", "", ""]
    assert snes[2] == "3"
    assert snes[5] == "2.00 (2.00 to 2.00)"
    assert float(snes[6]) > 0.1  # three seeds show nothing


def test_a_function_has_the_evaluations_to_its_target():
    ga, snes = cells(functions(FEW), GA), cells(functions(FEW), SNES)
    assert ga[2:4] == ["3/3", "30,000"]
    assert snes[2:5] == ["3/3", "15,000", "2.00 (2.00 to 2.00)"]


def test_an_environment_has_what_fresh_episodes_pay_and_how_much_more_that_is() -> None:
    ga, snes = cells(environments(FEW), GA), cells(environments(FEW), SNES)
    assert names(environments(FEW)) == [arm.name for arm in plan.contenders(ENVIRONMENT)]
    assert ga[2:5] == ["3", "102 [102, 102]", ""]
    assert snes[2:5] == ["3", "204 [203, 205]", "102 [102, 102]"]


def test_a_function_that_the_ga_does_not_solve_has_no_ratio() -> None:
    gains = {GA: 0.0, SNES: 1.0, SEP_CMA: 0.0}
    jobs = [job_of(name, problem=FUNCTION, number=n) for name in gains for n in range(3)]
    rows = {job.key: row(job, gain=gains[job.arm.name]) for job in jobs}
    assert cells(functions(rows), SNES)[4] == "∞"
    assert cells(functions(rows), SEP_CMA)[4] == "neither arrives"


def test_two_strategies_are_held_against_each_other_at_each_budget_of_both() -> None:
    of_snes = rows_of(*(job_of(SNES, problem=WALK, number=n) for n in range(3)), gain=3.0)
    lines = [line.split("|")[2:6] for line in strategies({**FEW, **of_snes}).splitlines()[2:]]
    assert [line[0].strip() for line in lines] == ["12,000", "37,750"]
    assert lines[0][3].strip() == "0.283 (0.283 to 0.283)"  # 3 / 2, of a budget that is 200,000 / 37,750 as long
    assert strategies(of_snes) == ""


def test_champions_that_walk_unfairly_are_counted():
    sound = cells(soundness(FEW), GA)
    assert sound[2:] == ["3/9", "12.0", "1.50", "0.250", "0.750"]


@pytest.mark.parametrize("arguments", [("run", "sphere"), ("run", "sphere", "--most", "1")])
def test_an_unknown_problem_is_explained_before_anything_is_run(arguments, tmp_path):
    code, said = door.call("algorithms", *arguments, "--out", tmp_path)
    assert code == 2
    assert said.startswith("error: no problem is called sphere; known are ")
    assert len(said.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_report_writes_what_it_prints(tmp_path):
    runlog.append_all(tmp_path / ROWS, list(FEW.values()))
    code, said = door.call("algorithms", "report", "--out", tmp_path, "--tables", tmp_path / "tables")
    assert code == 0
    written = {file.stem: file.read_text() for file in (tmp_path / "tables").iterdir()}
    fixed = {"functions", "splitting", "strategies", "environments", "soundness"}
    assert written.keys() == fixed | {f"creatures-{mark}" for mark in MARKS}
    assert all(functions(FEW) in text for text in (said, written["functions"]))

"""The plan's criteria are met by a run that meets them, and each fails where what it asks for is taken away."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from atoll.evo import runlog
from atoll.evo.paths import GENOMES, SharedPaths
from atoll.scripts.lab.islands import criteria
from atoll.scripts.lab.islands.criteria import DIVERSE, INDEPENDENT, MIGRATING, NOT_MET, Posted
from tests.lab import door
from tests.scripts.run.island_process import Job, end, start

if TYPE_CHECKING:
    from pathlib import Path

    from atoll.scripts.lab.islands.criteria import Answer


def test_waiting_and_lockstep_are_not_independent() -> None:
    waiting = Posted("a", (10,), (10,), 1, Counter(b=2), 1, waits=3)
    found = criteria.independence([], [], [waiting])[-1]
    assert not found.is_met
    assert found.found.startswith("3 times")


def test_who_takes_nothing_or_its_own_does_not_migrate() -> None:
    taking = Posted("a", (10,), (10,), 1, Counter(b=2), 1, 0)
    nothing = Posted("b", (10,), (10,), 1, Counter(), 0, 0)
    own = Posted("b", (10,), (10,), 1, Counter(b=2), 1, 0)
    assert [answer.is_met for answer in criteria.exchange([taking])] == [True, True, True]
    assert [answer.is_met for answer in criteria.exchange([taking, nothing])] == [True, False, True]
    assert [answer.is_met for answer in criteria.exchange([taking, own])] == [True, True, False]
    assert not any(answer.is_met for answer in criteria.exchange([])), "nothing is not everything"


DIVERSE_ENOUGH = {"origins": 3.0, "largest": ("a", 0.4), "f_st": 0.3, "kept": [0.2, 0.4]}


@pytest.mark.parametrize(
    ("poor", "question"),
    [
        ({"origins": 1.99}, "effective number of ancestors"),
        ({"origins": None}, "effective number of ancestors"),
        ({"largest": ("a", 0.81)}, "largest share of one island's founders"),
        ({"f_st": 0.049}, "F_ST between islands"),
        ({"f_st": None}, "F_ST between islands"),
        ({"kept": [0.0, 0.19]}, "diversity within, of the founders'"),
        ({"kept": []}, "diversity within, of the founders'"),
    ],
)
def test_what_is_not_diverse_in_one_respect_fails_in_this_alone(poor: dict[str, object], question: str) -> None:
    assert all(answer.is_met for answer in criteria.diversity(**DIVERSE_ENOUGH))  # type: ignore[arg-type]
    found = criteria.diversity(**{**DIVERSE_ENOUGH, **poor})  # type: ignore[arg-type]
    assert [answer.question for answer in found if not answer.is_met] == [question]


SPANS = st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)).map(sorted), max_size=8)


@given(SPANS)
def test_how_many_live_at_once_is_the_most_that_any_moment_has(spans: list[list[int]]) -> None:
    most = max((sum(began <= moment <= ended for began, ended in spans) for moment in range(21)), default=0)
    assert criteria.most_at_once([(began, ended) for began, ended in spans]) == most
    assert criteria.most_at_once([*((began, ended) for began, ended in spans), (None, 3.0)]) == most


ISLANDS = ("a", "b", "c")
VALUES = {"population": 40, "generations": 30, "migrate_every": 10, "task": "rastrigin"}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three islands, each a process, all of which live at the same time."""
    root = tmp_path_factory.mktemp("criteria") / "shared"
    processes = [start(Job(root, name, VALUES, delay_s=0.05)) for name in ISLANDS]
    assert [end(process) for process in processes] == [0, 0, 0]
    return root


@pytest.fixture
def copy(run: Path, tmp_path: Path) -> Path:
    return shutil.copytree(run, tmp_path / "copy")


def answers(root: Path) -> dict[str, Answer]:
    return {answer.question: answer for answer in criteria.examine(SharedPaths(root))}


def failed(found: dict[str, Answer], criterion: str) -> set[str]:
    return {name for name, answer in found.items() if answer.criterion == criterion and not answer.is_met}


@pytest.mark.slow
def test_a_run_of_real_processes_is_independent_and_migrates(run: Path) -> None:
    found = answers(run)
    assert failed(found, INDEPENDENT) == failed(found, MIGRATING) == set()
    assert found["publications at every interval"].found == "9 of 9"
    assert found["lived at the same time"].found == "3"


@pytest.mark.slow
def test_the_command_prints_every_answer_and_its_exit_code_says_whether_all_are_met(run: Path) -> None:
    told = CliRunner().invoke(criteria.main, [str(run)])
    asked = CliRunner().invoke(criteria.main, [str(run), "--json"])
    document = json.loads(asked.output)
    assert told.exit_code == asked.exit_code == (0 if document["is_met"] else NOT_MET)
    assert document["is_met"] == all(answer["is_met"] for answer in document["answers"])
    for criterion in (INDEPENDENT, MIGRATING, DIVERSE):
        assert criterion in told.output
    for answer in document["answers"]:
        assert answer["question"] in told.output
        assert answer["found"] in told.output


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["gone", "cut short"])
def test_a_publication_that_is_missing_or_damaged_is_named(copy: Path, damage: str) -> None:
    place = SharedPaths(copy).island("b").publication(20)
    if damage == "gone":
        shutil.rmtree(place)
    else:
        (place / GENOMES).write_bytes((place / GENOMES).read_bytes()[:-1])
    found = answers(copy)["publications at every interval"]
    assert not found.is_met
    assert found.found == "8 of 9; missing b gen 20"


@pytest.mark.slow
def test_an_island_that_did_not_end_or_was_the_process_of_another_is_not_independent(copy: Path) -> None:
    paths = SharedPaths(copy).island("b")
    lines = paths.log.read_text().splitlines(keepends=True)
    paths.log.write_text("".join(lines[:-3]))
    epochs = {name: SharedPaths(copy).island(name).epoch(1) for name in ("a", "c")}
    record = json.loads(epochs["c"].read_text())
    epochs["c"].write_text(json.dumps({**record, "pid": json.loads(epochs["a"].read_text())["pid"]}))
    found = answers(copy)
    assert failed(found, INDEPENDENT) == {"reached their last generation", "processes of their own"}
    assert found["reached their last generation"].found == "2 of 3"
    assert found["processes of their own"].found.startswith("2,")


@pytest.mark.slow
def test_islands_one_after_the_other_did_not_live_at_the_same_time(copy: Path) -> None:
    log = SharedPaths(copy).island("b").log
    records = runlog.read(log)
    for record in records:
        if record["kind"] == "start":
            record["started_s"] += 1e6
        else:
            record["time"]["unix_s"] += 1e6
    log.unlink()
    runlog.append_all(log, records)
    found = answers(copy)
    assert failed(found, INDEPENDENT) == {"lived at the same time"}
    assert found["lived at the same time"].found == "2"


@pytest.mark.parametrize(("place", "code"), [("no/where", 7), ("nowhere", 3), ("", 3)])
def test_a_place_without_a_run_is_refused_in_one_line(tmp_path: Path, place: str, code: int) -> None:
    ended, said = door.call("criteria", tmp_path / place)
    assert ended == code
    assert said.startswith("error: ")
    assert len(said.strip().splitlines()) == 1

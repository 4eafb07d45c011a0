from __future__ import annotations

from typing import TYPE_CHECKING

import click
import pytest

from atoll.scripts.lab.kit.rows import Run
from atoll.scripts.lab.speed.generation import WATCHED
from atoll.scripts.lab.speed.plot import STAGES, draw

if TYPE_CHECKING:
    from pathlib import Path


def runs() -> list[Run]:
    def throughput(what: str, part: str, population: int, rate: float) -> list[dict]:
        key = {"what": what, "part": part, "population": population}
        return [{"repetition": n, **key, "work_per_s": rate * (1 + n / 10)} for n in range(3)]

    evaluator = [
        *throughput("peak", "", 0, 120e9),
        *(row for n in (16, 250) for row in throughput("native", "evaluate", n, 30e6)),
        *throughput("reference", "evaluate", 250, 0.6e6),
    ]
    generation = [
        {"repetition": 0, "what": what, "part": part, "wall_s": wall_s}
        for what, part, wall_s in (("whole", "", 2.0), ("evaluation", "live", 1.5), ("files", "log", 0.5))
    ]
    scaling = [
        {"repetition": 0, "what": what, "n": n, "work_per_s": 100.0 * n, "cores": 2}
        for what in ("islands", "bare")
        for n in (1, 2)
    ]
    found = {"evaluator": evaluator, "generation": generation, "scaling": scaling}
    return [Run(bench, "now", tuple(rows)) for bench, rows in found.items()]


@pytest.mark.slow
def test_the_drawing_says_what_it_shows_and_equal_rows_give_equal_files(tmp_path: Path) -> None:
    first, second = tmp_path / "a.svg", tmp_path / "b.svg"
    draw(runs(), first)
    draw(runs(), second)
    text = first.read_text()
    for words in (
        "Throughput of the evaluators",
        "fraction of the peak",
        "files: log",
        "Islands on 2 cores",
        "reference",
    ):
        assert words in text
    assert first.read_bytes() == second.read_bytes()


def test_every_stage_that_is_watched_has_a_colour() -> None:
    assert {stage.partition("/")[0] for _, _, stage in WATCHED} == set(STAGES)


def test_what_was_not_measured_is_not_drawn(tmp_path: Path) -> None:
    draw([run for run in runs() if run.bench == "generation"], tmp_path / "a.svg")
    text = (tmp_path / "a.svg").read_text()
    assert "evaluation: live" in text
    assert "Islands on" not in text


def test_another_format_is_chosen_by_the_name(tmp_path: Path) -> None:
    draw(runs(), tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_no_rows_are_a_mistake_that_is_explained(tmp_path: Path) -> None:
    with pytest.raises(click.UsageError, match="expected some of evaluator, generation, scaling"):
        draw([], tmp_path / "a.svg")

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from atoll.scripts.lab.parallel.report import plots, study
from tests.lab.parallel import synthetic
from tests.lab.parallel.made_rows import changed
from tests.lab.parallel.synthetic import ALONE, PROCESSES, run

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.slow
def test_every_plot_is_drawn_as_svg_and_png_and_says_what_it_shows(tmp_path: Path) -> None:
    (session,) = study.sessions(synthetic.table(3))
    files = plots.draw(session, tmp_path)
    assert {file.stem.split("-")[0] for file in files} == set(plots.PAINTERS)
    for file in files:
        assert "tiny, reference evaluator" in file.read_text()
        assert file.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    text = (tmp_path / "speedups-tiny-reference.svg").read_text()
    assert "optuna_threads, P = 2" in text
    assert "two equal runs" in text
    assert "optuna_threads, P = 2: S = 0.6" in (tmp_path / "gantt-tiny-reference.svg").read_text()


@pytest.mark.slow
def test_memory_is_written_in_three_digits(tmp_path: Path) -> None:
    (session,) = study.sessions([run("p", PROCESSES, peak_pss_bytes=1_234_230_000)])
    plots.draw(session, tmp_path)
    assert ">1230<" in (tmp_path / "memory-tiny-reference.svg").read_text()


@pytest.mark.slow
def test_equal_rows_give_equal_files(tmp_path: Path) -> None:
    (session,) = study.sessions(synthetic.table(2))
    for name in "ab":
        (tmp_path / name).mkdir()
        plots.draw(session, tmp_path / name)
    for file in (tmp_path / "a").iterdir():
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes()


@pytest.mark.slow
def test_what_was_not_measured_is_not_drawn(tmp_path: Path) -> None:
    (session,) = study.sessions([synthetic.run("p", synthetic.PROCESSES)])
    assert {file.stem.split("-")[0] for file in plots.draw(session, tmp_path)} == {"threads", "memory", "gantt"}


def test_what_never_ended_is_told_from_a_trial_of_several_processes():
    """An island's trial is noted with its first process and recorded with its last."""
    (session,) = study.sessions([run("sequential", ALONE), run("islands", PROCESSES)])
    islands = session.runs[1]
    moved = tuple(replace(trial, pid=trial.pid + 100) for trial in islands.row.trials)
    assert plots._never_ended(replace(islands, row=changed(islands.row, trials=moved))) == []
    again = replace(islands.row.starts[0], start_s=islands.row.starts[-1].start_s + 1)
    twice = changed(islands.row, starts=(*islands.row.starts, again))
    assert plots._never_ended(replace(islands, row=twice)) == [islands.row.starts[0]]
    cut = changed(islands.row, trials=islands.row.trials[1:])
    assert [start.index for start in plots._never_ended(replace(islands, row=cut))] == [islands.row.trials[0].index]

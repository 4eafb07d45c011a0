"""The study of a GPU measures each part by itself; what fails is a row, and the next part runs."""

import json

import pytest
import torch

from atoll.evo import compiler
from atoll.evo.tasks.creatures import cuda
from atoll.scripts.lab.gpu import command, parts
from atoll.scripts.lab.gpu.tables import tables
from tests.lab.door import call

pytest.importorskip("cuda.core", reason="cuda-core is not installed (the extra cuda)")
pytestmark = pytest.mark.skipif(compiler.find() is None, reason="no C++ compiler")


def rows_in(folder):
    return [json.loads(line) for line in (folder / "gpu.jsonl").read_text().splitlines()]


@pytest.fixture
def as_before(monkeypatch):
    """What stands for a GPU in this process is taken away again; PyTorch takes one thread."""
    monkeypatch.setattr(cuda, "load", cuda.load)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("as_before")
def test_bits_are_counted_where_the_ptx_stands_for_a_gpu(tmp_path):
    command.measure("bits", tmp_path, is_emulated=True, is_quick=True)
    found = rows_in(tmp_path)
    assert len(found) == 4
    assert all(row["equal"] == row["lives"] == 96 for row in found)
    assert {row["device"] for row in found} == {"emulated"}


@pytest.mark.usefixtures("as_before")
def test_a_trial_calls_the_gpu_once_in_a_generation(tmp_path):
    command.measure("trial", tmp_path, is_emulated=True, is_quick=True)
    calls = {row["what"]: row["calls_per_generation"] for row in rows_in(tmp_path)}
    assert (calls["cuda"], calls["native"], calls["reference"]) == (1.0, 1.0, 0.0)


def test_a_part_that_fails_or_takes_too_long_does_not_stop_the_next(tmp_path, monkeypatch):
    scripts = {"bits": "raise SystemExit('no bits')", "batch": "while True: pass", "trial": ""}
    monkeypatch.setattr(command, "_arguments", lambda name, *_: ["-c", scripts[name]])
    monkeypatch.setattr(command, "PROGRAM", ())
    monkeypatch.setattr(command, "PARTS", {**parts.PARTS, "batch": (None, 5.5)})
    command.run_parts(["bits", "batch", "trial"], tmp_path, [], limit_s=60)
    assert [(row["part"], row["error"]) for row in rows_in(tmp_path)] == [
        ("bits", "no bits"),
        ("batch", "given up after 6 s"),
    ]
    command.run_parts(["trial"], tmp_path, [], limit_s=1)
    assert rows_in(tmp_path)[-1]["error"] == "no time was left"


def test_tables_hold_medians_ratios_and_what_failed():
    rates = {"native": 2.0, "cuda": 1.0, parts.ALL: 4.0}
    found = [
        {
            "part": "batch",
            "device": "cuda:0",
            "what": what,
            "lives": 250,
            "steps": 1e6,
            "wall_s": wall_s,
            "repetition": i,
        }
        for what, wall_s in rates.items()
        for i in range(3)
    ]
    found += [
        {"part": "together", "device": "cuda:0", "what": what, "processes": n, "wall_s": 1.0, "per_s": per_s}
        for what, n, per_s in (("cuda", 1, 3.0), ("cuda", 4, 4.0), ("native", 1, 1.0), ("native", 4, 4.0))
    ]
    found += [{"part": "energy", "device": "cuda:0", "what": "failed", "error": "no meter", "wall_s": 1.0}]
    text = tables(found)
    assert "| cuda | 250 | 1 | 1 | 3 |" in text
    assert "- 250 lives: cuda / native 2 (3 rounds)" in text
    assert "Processors overtake the GPU at 4 processes." in text
    assert "failed: no meter" in text
    assert "emulated" not in text


def test_kept_rows_are_shown_without_measuring(tmp_path):
    command.run_parts(["bits"], tmp_path, ["--emulate"], limit_s=1)
    code, said = call("gpu", "--table", tmp_path)
    assert code == 0
    assert "failed: no time was left" in said


@pytest.mark.slow
def test_all_parts_run_where_the_ptx_stands_for_a_gpu(tmp_path):
    code, said = call("gpu", "--emulate", "--quick", "--limit-s", "600", "--out", tmp_path)
    assert code == 0
    failed = {row["part"] for row in rows_in(tmp_path) if row["what"] == "failed"}
    assert failed <= {"energy"}, said  # which needs a GPU's meter
    assert {row["part"] for row in rows_in(tmp_path)} == {*parts.PARTS}

"""Another process scores the same genomes, or says why not."""

import numpy as np
import pytest

from atoll.evo.errors import TaskError
from atoll.evo.tasks.contract import sample_genes
from atoll.evo.tasks.elsewhere import score_elsewhere
from atoll.evo.tasks.loader import load_task


def test_another_process_scores_the_same_bits_whatever_the_task_prints(tmp_path):
    (tmp_path / "mine.py").write_text(
        "print('loading')\nbounds = [(0, 1)] * 3\ndef T(x, k=1.0):\n    print('hi')\n    return k * x[0] / 3\n"
    )
    name = f"{tmp_path}/mine.py:T"
    here = load_task(name, {"k": "2.5"})
    there = score_elsewhere(name, {"k": "2.5"}, "auto", 5, 3)
    assert there.tobytes() == here.evaluate(sample_genes(here, 5), 3).tobytes()


def test_it_shares_nothing_with_this_process(tmp_path, monkeypatch):
    monkeypatch.delenv("PYTHONHASHSEED", raising=False)
    (tmp_path / "mine.py").write_text("bounds = [(0, 1)]\ndef T(x): return hash('a') % 2**20\n")
    scores = [score_elsewhere(f"{tmp_path}/mine.py:T", {}, "auto", 1, 3) for _ in range(2)]
    assert not np.array_equal(*scores)


def test_a_process_that_fails_says_why(tmp_path):
    (tmp_path / "mine.py").write_text("import nothing_of_the_kind\n")
    with pytest.raises(TaskError, match=r"another process fails where this one does not: .*nothing_of_the_kind"):
        score_elsewhere(f"{tmp_path}/mine.py:T", {}, "auto", 1, 3)


def test_what_a_task_prints_is_no_failure_where_it_cannot_be_encoded(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONIOENCODING", "ascii:strict")
    (tmp_path / "mine.py").write_text("bounds = [(0.0, 1.0)]\ndef f(x):\n    print('\\u2026\\udce9')\n    return 1.0\n")
    assert score_elsewhere(f"{tmp_path}/mine.py:f", {}, "auto", 2, 0).tolist() == [1.0, 1.0]

"""`tasks` lists what there is, and `tasks check` tells what is wrong with one, to people and to programs."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from atoll.evo.errors import TaskError
from atoll.evo.tasks.loader import ENTRIES
from atoll.scripts.view.tasks import describe, describe_json, show_check
from tests.processes import ROOT, atoll, check_refused, run

SOUND = "bounds = [(0, 1)] * 3\ndef T(x, k=1.0):\n    print('noise')\n    return k * sum(x)\n"
BROKEN = "bounds = [(0, 1)] * 3\ndef T(x):\n    return x[7]\n"


@pytest.fixture
def write(tmp_path: Path, monkeypatch):
    monkeypatch.delitem(sys.modules, "mine", raising=False)
    others = [place for place in sys.path if (Path(place) / "mine.py").exists()]  # of other tests
    monkeypatch.setattr(sys, "path", [place for place in sys.path if place not in others])

    def written(source: str) -> str:
        (tmp_path / "mine.py").write_text(source)
        return f"{tmp_path}/mine.py:T"

    return written


def test_every_task_is_listed_with_its_options_and_how_to_use_ones_own() -> None:
    text = describe()
    for name, entry in ENTRIES.items():
        assert f"\n{name} " in f"\n{text}"
        assert entry.summary in text
    assert "-o rotated=false" in text
    assert "path/to/file.py:NAME" in text
    assert "tasks check" in text
    assert max(map(len, text.splitlines())) <= 120


def test_programs_get_the_same() -> None:
    tasks = json.loads(json.dumps(describe_json()))
    assert tasks["trap"]["options"] == {"dimensions": 40, "order": 4}
    assert tasks["creatures"]["backends"] == ["auto", "native", "reference", "cuda"]
    assert list(tasks) == list(ENTRIES)


def test_a_sound_task_passes_and_what_it_prints_is_kept_apart(write, capsys) -> None:
    assert show_check(write(SOUND), {"k": "2"}, backend="auto", is_json=False, out=sys.stdout) == 0
    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    assert [line.split()[0] for line in lines[:-1]] == [*["ok"] * 13, "note"]
    assert "prints" in lines[-2]
    assert lines[-1].endswith("mine.py:T keeps its contract")
    assert "noise" in printed.err


def test_programs_are_told_what_is_wrong(write, capsys) -> None:
    assert show_check(write(BROKEN), {}, backend="auto", is_json=True, out=sys.stdout) == TaskError.exit_code
    told = json.loads(capsys.readouterr().out)
    assert told["is_sound"] is False
    found = {finding["check"]: finding for finding in told["findings"]}
    assert list(found) == ["loading", "layout", "mutation", "processes", "answer", "side effects"]
    assert "line 3, in T: IndexError" in found["answer"]["says"]
    assert "return x[7]" in found["answer"]["trace"]


def test_the_command_explains_with_the_users_own_lines(write) -> None:
    ended = atoll("tasks", "check", write(BROKEN))
    assert ended.returncode == 8
    assert "broken  answer" in ended.stdout
    assert "return x[7]" in ended.stdout
    assert "user_task.py" not in ended.stdout
    assert ended.stderr == ""


def test_what_cannot_be_loaded_is_told_with_its_place(write) -> None:
    ended = atoll("tasks", "check", write("x = (\n"))
    assert ended.returncode == 8
    assert "broken  loading" in ended.stdout
    assert "line 1: SyntaxError" in ended.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["missing.py:T"], ["cannot read missing.py"]),
        (["sphere", "-o", "dimension=3"], ["did you mean 'dimensions'"]),
        (["sphere", "-o", "dimensions"], ["NAME=VALUE"]),
        (["spher"], ["did you mean 'sphere'"]),
        (["sphere", "--backend", "cobol"], ["known are auto, numpy"]),
    ],
)
def test_a_wrong_setting_is_refused_in_one_line(arguments: list[str], words: list[str]) -> None:
    check_refused(atoll("tasks", "check", *arguments), 2, *words)


def test_the_built_in_tasks_keep_their_contract() -> None:
    for name in ("trap", "rastrigin"):
        assert show_check(name, {}, backend="auto", is_json=False, out=sys.stdout) == 0


EFFECTS = """
import locale, os, random, signal, subprocess
import numpy as np

bounds = [(0, 1)] * 3
os.chdir("/")
signal.signal(signal.SIGTERM, lambda *_: None)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
locale.setlocale(locale.LC_ALL, "C")

def T(x):
    random.seed(3)
    np.random.seed(4)
    subprocess.run(["echo", "noise of a program"])
    return float(sum(x)) + random.random() + np.random.random()
"""


def test_what_a_task_does_to_its_process_is_told(write) -> None:
    ended = atoll("tasks", "check", write(EFFECTS), LC_ALL="C.UTF-8")
    assert ended.returncode == 0, ended.stderr
    [line] = [line for line in ended.stdout.splitlines() if line.startswith("note    side effects")]
    for words in (
        "working directory to /",
        "SIGTERM itself",
        "blocks Ctrl-C",
        "locale to C",
        "state of random",
        "state of numpy.random",
    ):
        assert words in line
    assert "noise" not in ended.stdout
    assert "noise of a program" in ended.stderr


def test_what_a_task_and_its_programs_print_is_no_part_of_the_json(write) -> None:
    ended = atoll("tasks", "check", write(EFFECTS), "--json")
    assert json.loads(ended.stdout)["is_sound"]


def test_a_task_named_by_a_relative_path_is_found_by_the_other_process_though_it_changes_directory(
    write, tmp_path
) -> None:
    write(EFFECTS)
    ended = run(sys.executable, ROOT / "cli.py", "tasks", "check", "mine.py:T", cwd=tmp_path)
    assert "ok      another process" in ended.stdout


@pytest.mark.parametrize(
    ("score", "words"),
    [
        ("-1e9 - float(sum(x * x))", "8 different scores are 1 once they are rounded to float32, as at -1"),
        ("float(sum(x))", "scores from"),
    ],
)
def test_scores_that_float32_cannot_tell_apart_are_told(write, score: str, words: str) -> None:
    ended = atoll("tasks", "check", write(f"bounds = [(0, 1)] * 3\ndef T(x):\n    return {score}\n"))
    assert words in ended.stdout

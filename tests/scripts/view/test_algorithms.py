"""`algorithms` lists what there is, and `algorithms check` tells what is wrong with one, to people and to programs."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

from atoll.evo.config import OWN_SETTINGS
from atoll.evo.errors import TaskError
from atoll.scripts.view.algorithms import describe, describe_json, show_check
from tests.processes import ROOT, atoll, check_refused, run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SOUND = """
class A:
    def start(self, state, spec):
        return {}

    def breed(self, state, memory, spec, *, streams):
        print("noise")
        return spec.sample(streams("new"), len(state.fitness)), memory
"""
BROKEN = SOUND.replace("        print", "        state.nothing\n        print")


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], str]:
    def written(source: str) -> str:
        (tmp_path / "own_search.py").write_text(source)
        return f"{tmp_path}/own_search.py:A"

    return written


def test_every_algorithm_is_listed_with_its_settings_and_how_to_use_ones_own() -> None:
    text = describe()
    for name, settings in OWN_SETTINGS.items():
        assert f"\n{name} " in f"\n{text}"
        assert all(f"--{setting.replace('_', '-')} " in text for setting in settings)
    assert "--sigma 0.1" in text
    assert "algorithms check" in text
    assert max(map(len, text.splitlines())) <= 120


def test_programs_get_the_same() -> None:
    listed = json.loads(json.dumps(describe_json()))
    assert list(listed) == list(OWN_SETTINGS)
    assert listed["snes"]["settings"] == {"sigma": 0.1}
    assert all(len(each["summary"].split()) > 3 for each in listed.values())


@pytest.mark.parametrize("name", OWN_SETTINGS)
def test_the_built_in_algorithms_keep_their_contract(name: str) -> None:
    assert show_check(name, "sphere", {}, is_json=False, out=sys.stdout) == 0


def test_a_sound_algorithm_passes_and_what_it_prints_is_kept_apart(write, capsys) -> None:
    assert show_check(write(SOUND), "trap", {"order": "2"}, is_json=False, out=sys.stdout) == 0
    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    assert not any(line.startswith("broken") for line in lines)
    assert "prints" in lines[-2]
    assert lines[-1].endswith("own_search.py:A keeps its contract")
    assert "noise" in printed.err


def test_programs_are_told_what_is_wrong_with_the_users_own_lines(write, capsys) -> None:
    assert show_check(write(BROKEN), "sphere", {}, is_json=True, out=sys.stdout) == TaskError.exit_code
    told = json.loads(capsys.readouterr().out)
    assert (told["algorithm"].endswith("own_search.py:A"), told["is_sound"]) == (True, False)
    found = {finding["check"]: finding for finding in told["findings"]}
    assert list(found) == ["loading", "answer", "side effects"]
    assert "own_search.py, line 7, in breed: AttributeError" in found["answer"]["says"]
    assert found["answer"]["says"].endswith("(generation 0)")
    assert "state.nothing" in found["answer"]["trace"]


def test_the_command_finds_a_file_in_the_working_directory_in_the_other_process_too(write, tmp_path) -> None:
    write(f"import os\nos.chdir('/')\n{SOUND}")
    ended = run(sys.executable, ROOT / "cli.py", "algorithms", "check", "own_search.py:A", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert "ok      another process" in ended.stdout
    assert "working directory to /" in ended.stdout
    assert "noise" not in ended.stdout


def test_what_cannot_be_loaded_is_told_with_its_place(write) -> None:
    ended = atoll("algorithms", "check", write("x = (\n"))
    assert ended.returncode == 8
    assert "broken  loading" in ended.stdout
    assert "line 1: SyntaxError" in ended.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["missing.py:A"], ["--algorithm missing.py:A: cannot read missing.py"]),
        (["sness"], ["--algorithm must be auto, one of ga, snes", "did you mean 'snes'"]),
        (["ga", "--task", "spher"], ["did you mean 'sphere'"]),
        (["ga", "-o", "dimension=3"], ["did you mean 'dimensions'"]),
        (["snes", "--task", "trap"], ["--algorithm snes varies real genes only"]),
    ],
)
def test_a_wrong_setting_is_refused_in_one_line(arguments: list[str], words: list[str]) -> None:
    check_refused(atoll("algorithms", "check", *arguments), 2, *words)

"""The one door of the laboratory: it lists every study, runs each, and explains a failure in one line."""

from __future__ import annotations

import importlib
import sys

import click
import pytest

from atoll.evo.errors import ReplayError, StorageError
from atoll.scripts.lab import __main__ as door
from tests.processes import run

LISTED = """
import sys
from atoll.scripts.lab.__main__ import run
assert run(["--help"]) == 0
print({"numpy", "torch", "matplotlib"} & sys.modules.keys())
"""


def test_the_list_names_every_study_in_a_line_and_loads_none() -> None:
    lines = run(sys.executable, "-c", LISTED).stdout.splitlines()
    start = lines.index("Studies:") + 1
    assert [line.split()[0] for line in lines[start:-1]] == list(door.STUDIES)
    assert lines[-1] == "set()"


@pytest.mark.parametrize("name", door.STUDIES)
def test_every_study_is_run_by_its_name(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert door.run([name, "--help"]) == 0
    assert f"Usage: python -m scripts.lab {name} " in capsys.readouterr().out


def raising(error: Exception) -> click.Command:
    @click.command()
    def main() -> None:
        raise error

    return main


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (ReplayError("lived again it differs"), ReplayError.exit_code, "error: lived again it differs"),
        (click.ClickException("no rows"), 1, "error: no rows"),
        (click.UsageError("no such task"), 2, "error: no such task (see 'python -m scripts.lab killed --help')"),
        (OSError(28, "No space left on device"), StorageError.exit_code, "error: cannot read or write what this study"),
    ],
)
def test_a_failure_is_one_line_and_the_documented_code(error, code, said, monkeypatch, capsys) -> None:
    module = importlib.import_module("atoll.scripts.lab.islands.lifespans")
    monkeypatch.setattr(module, "killed", raising(error))
    assert door.run(["killed"]) == code
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(said)


@pytest.mark.parametrize("arguments", [["compre"], ["compare", "rum"], ["killed", "--sed"], ["--no"]])
def test_a_mistyped_command_is_one_line_with_where_to_look(arguments, capsys) -> None:
    assert door.run(arguments) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("error: No such ")
    assert "--help')" in line


def test_the_exit_code_that_a_study_chose_stays(monkeypatch) -> None:
    module = importlib.import_module("atoll.scripts.lab.islands.lifespans")
    monkeypatch.setattr(module, "killed", raising(SystemExit(12)))  # type: ignore[arg-type]
    with pytest.raises(SystemExit) as ended:
        door.run(["killed"])
    assert ended.value.code == 12

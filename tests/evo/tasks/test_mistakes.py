"""Whatever a user's file raises becomes one line that says where; its traceback starts at the user's own line."""

import sys

import pytest

from atoll.evo.errors import TaskError
from atoll.evo.tasks.mistakes import frames, mistakes, more, place, what


def run(source, path="mine.py"):
    """Run a user's source as its file would be, and return what it raised."""
    try:
        exec(compile(source, path, "exec"), {})  # noqa: S102
    except BaseException as error:
        return error
    raise AssertionError("it raised nothing")


def test_the_place_is_the_last_line_of_the_users_file_that_the_error_passed():
    error = run("import json\n\ndef inner():\n    json.loads('{')\n\ninner()\n")
    assert place(error, "mine.py") == "mine.py, line 4, in inner"


def test_a_mistake_of_spelling_is_placed_too():
    assert place(run("x = 1\ny = (\n"), "mine.py") == "mine.py, line 2"


def test_an_error_that_never_passed_the_file_has_no_line():
    assert place(run("1 / 0", "other.py"), "mine.py") == "mine.py"


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("a\n  b"), "ValueError: a b"),
        (KeyError("k"), "KeyError: 'k'"),
        (AssertionError(), "AssertionError"),
        (SystemExit(3), "it ends the process (SystemExit: 3)"),
        (ModuleNotFoundError("No module named 'x'"), "(install it into the environment of this program)"),
        (ValueError("x" * 5000), "..."),
    ],
    ids=str,
)
def test_an_error_is_told_in_one_short_line(error, text):
    assert text in what(error)
    assert "\n" not in what(error)
    assert len(what(error)) < 500


@pytest.mark.parametrize(
    "raised", [ZeroDivisionError("z"), OSError(28, "full"), SystemExit(1), StopIteration()], ids=repr
)
def test_whatever_is_raised_becomes_a_task_error(raised):
    with pytest.raises(TaskError, match=r"mine\.py") as refusal, mistakes("mine.py", "mine.py:f"):
        raise raised
    assert refusal.value.__cause__ is raised
    assert str(refusal.value).endswith(more("mine.py:f"))


def test_what_is_said_of_a_file_gets_its_name():
    with pytest.raises(TaskError, match=r"^mine.py: bounds are missing$"), mistakes("mine.py", "mine.py:f"):
        raise TaskError("bounds are missing")


def test_only_the_user_may_interrupt():
    with pytest.raises(KeyboardInterrupt), mistakes("mine.py", "mine.py:f"):
        raise KeyboardInterrupt


def test_the_traceback_begins_with_the_users_own_line(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("import json\n\ndef f():\n    return json.loads('{')\n\nf()\n")
    error = TaskError("told")
    error.__cause__ = run(path.read_text(), str(path))
    lines = frames(error, str(path)).splitlines()
    assert lines[0].startswith("Traceback")
    assert f'File "{path}", line 6' in lines[1]
    assert "return json.loads" in "\n".join(lines)
    assert "exec(" not in "\n".join(lines)
    assert lines[-1].startswith("json.decoder.JSONDecodeError")


def test_an_error_of_ours_has_no_traceback():
    assert frames(TaskError("bounds are missing"), "mine.py") == ""


@pytest.mark.parametrize(
    "source", ["from atoll.mine import helper", "import atoll.mine", "import atoll; atoll.helper()"]
)
def test_what_our_package_hides_is_said_to_be_hidden(source):
    with pytest.raises(TaskError) as told, mistakes("mine.py", "mine.py:T"):
        exec(source, {})  # noqa: S102
    assert "(atoll is Atoll's own package here; rename yours, or import it under another name)" in str(told.value)
    assert "install it" not in str(told.value)


@pytest.mark.parametrize("name", ["evo", "migration", "scripts"])
def test_who_imports_a_part_of_ours_by_its_former_name_is_told_its_name(name, monkeypatch):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(TaskError) as told, mistakes("mine.py", "mine.py:T"):
        exec(f"from {name}.genome import GenomeSpec", {})  # noqa: S102
    assert f"(if Atoll's own is meant, it is imported as atoll.{name})" in str(told.value)


@pytest.mark.parametrize(
    "source", ["from atoll.evo.genome import Segmnet", "import nowhere_at_all", "from json import nothing"]
)
def test_what_is_missing_elsewhere_is_not_said_to_be_ours(source):
    with pytest.raises(TaskError) as told, mistakes("mine.py", "mine.py:T"):
        exec(source, {})  # noqa: S102
    assert "Atoll's own" not in str(told.value)

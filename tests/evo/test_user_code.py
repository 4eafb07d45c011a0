"""What a user's file raises is told in one line with its place, and its source is run once for all that it is."""

import sys

import pytest

from atoll.evo import user_code
from atoll.evo.errors import TaskError
from atoll.evo.user_code import code_errors, describe_error, place_of, traceback_from

HINT = "; ask somebody"


def run(source, path="mine.py"):
    """Run a user's source as its file would be, and return what it raised."""
    try:
        exec(compile(source, path, "exec"), {})  # noqa: S102
    except BaseException as error:
        return error
    raise AssertionError("it raised nothing")


def test_the_place_is_the_last_line_of_the_users_file_that_the_error_passed():
    error = run("import json\n\ndef inner():\n    json.loads('{')\n\ninner()\n")
    assert place_of(error, "mine.py") == "mine.py, line 4, in inner"


def test_a_mistake_of_spelling_is_placed_too():
    assert place_of(run("x = 1\ny = (\n"), "mine.py") == "mine.py, line 2"


def test_an_error_that_never_passed_the_file_has_no_line():
    assert place_of(run("1 / 0", "other.py"), "mine.py") == "mine.py"


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
    assert text in describe_error(error)
    assert "\n" not in describe_error(error)
    assert len(describe_error(error)) < 500


@pytest.mark.parametrize(
    "raised", [ZeroDivisionError("z"), OSError(28, "full"), SystemExit(1), StopIteration()], ids=repr
)
def test_whatever_is_raised_becomes_a_task_error(raised):
    with pytest.raises(TaskError, match=r"mine\.py") as refusal, code_errors("mine.py", HINT):
        raise raised
    assert refusal.value.__cause__ is raised
    assert str(refusal.value).endswith(HINT)


def test_what_is_said_of_a_file_gets_its_name():
    with pytest.raises(TaskError, match=r"^mine.py: bounds are missing$"), code_errors("mine.py", HINT):
        raise TaskError("bounds are missing")


def test_what_a_file_raises_is_no_interruption_unless_the_user_makes_it():
    with pytest.raises(KeyboardInterrupt), code_errors("mine.py", HINT):
        raise KeyboardInterrupt


def test_the_traceback_begins_with_the_users_own_line(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("import json\n\ndef f():\n    return json.loads('{')\n\nf()\n")
    error = TaskError("told")
    error.__cause__ = run(path.read_text(), str(path))
    lines = traceback_from(error, str(path)).splitlines()
    assert lines[0].startswith("Traceback")
    assert f'File "{path}", line 6' in lines[1]
    assert "return json.loads" in "\n".join(lines)
    assert "exec(" not in "\n".join(lines)
    assert lines[-1].startswith("json.decoder.JSONDecodeError")


def test_an_error_of_ours_has_no_traceback():
    assert traceback_from(TaskError("bounds are missing"), "mine.py") == ""


@pytest.mark.parametrize(
    "source", ["from atoll.mine import helper", "import atoll.mine", "import atoll; atoll.helper()"]
)
def test_what_our_package_hides_is_said_to_be_hidden(source):
    with pytest.raises(TaskError) as told, code_errors("mine.py", HINT):
        exec(source, {})  # noqa: S102
    assert "(atoll is Atoll's own package here; rename yours, or import it under another name)" in str(told.value)
    assert "install it" not in str(told.value)


@pytest.mark.parametrize("name", ["evo", "migration", "scripts"])
def test_who_imports_a_part_of_ours_by_its_former_name_is_told_its_name(name, monkeypatch):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(TaskError) as told, code_errors("mine.py", HINT):
        exec(f"from {name}.genome import GenomeSpec", {})  # noqa: S102
    assert f"(if Atoll's own is meant, it is imported as atoll.{name})" in str(told.value)


@pytest.mark.parametrize(
    "source", ["from atoll.evo.genome import Segmnet", "import nowhere_at_all", "from json import nothing"]
)
def test_what_is_missing_elsewhere_is_not_said_to_be_ours(source):
    with pytest.raises(TaskError) as told, code_errors("mine.py", HINT):
        exec(source, {})  # noqa: S102
    assert "Atoll's own" not in str(told.value)


def test_a_file_that_is_named_twice_is_one_module_and_one_that_was_edited_another(tmp_path):
    """Else what is defined twice could not be sent to another process, which finds one of each name."""
    path = tmp_path / "named_twice.py"
    path.write_text("N = 1\n")
    first = user_code.run(str(path), path.read_bytes())
    assert user_code.run(str(path), path.read_bytes()) is first
    edited = user_code.run(str(path), b"N = 2\n")
    assert (first.N, edited.N) == (1, 2)
    assert user_code.run(str(path), path.read_bytes()) is not first


def test_a_file_that_failed_is_run_again(tmp_path):
    (tmp_path / "fails_twice.py").write_text("raise ValueError\n")
    for _ in range(2):
        with pytest.raises(ValueError):  # noqa: PT011 - it says no more
            user_code.run(str(tmp_path / "fails_twice.py"), b"raise ValueError\n")

"""Every failure a user can meet has an exit code of its own, and a sentence."""

import inspect
import sys

from atoll.evo import errors
from atoll.evo.errors import EXIT_CODES, AtollError
from tests.processes import run

CHILDREN = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, AtollError)]
CHILDREN.remove(AtollError)


def test_every_error_is_in_the_table_under_its_own_code():
    codes = [kind.exit_code for kind in CHILDREN]
    assert len(set(codes)) == len(codes)
    assert {*codes, 0, AtollError.exit_code, 128 + 1, 128 + 2, 128 + 13, 128 + 15} == EXIT_CODES.keys()


def test_every_code_has_a_sentence():
    assert all(len(meaning.split()) > 2 for meaning in EXIT_CODES.values())


def test_the_sentence_is_the_errors_own():
    for kind in CHILDREN:
        assert EXIT_CODES[kind.exit_code] in kind.__doc__.lower()


def test_codes_leave_room_for_the_shell():
    """126 and above mean something to a shell; 2 is also what Click uses for a bad command line."""
    assert all(1 < kind.exit_code < 126 for kind in CHILDREN)


def test_a_python_without_docstrings_has_the_sentences_too():
    told = run(sys.executable, "-OO", "-c", "from atoll.evo.errors import EXIT_CODES; print(EXIT_CODES)")
    assert told.stdout.strip() == str(EXIT_CODES)

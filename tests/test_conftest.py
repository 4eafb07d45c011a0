from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

import pytest

from tests.processes import ROOT, run

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

SKIPPED = "import pytest\ndef test_it(): pytest.skip({reason!r})\n"
MODULE = "import pytest\npytest.skip({reason!r}, allow_module_level=True)\n"
MARKED = "import pytest\n@pytest.mark.skipif(True, reason={reason!r})\ndef test_it(): pass\n"
EXPECTED = "import pytest\n@pytest.mark.xfail\ndef test_it(): assert False\n"


def outcome(place: Path, sources: list[str], ci: str) -> str:
    shutil.copy(ROOT / "tests/conftest.py", place)
    for i, source in enumerate(sources):
        (place / f"test_{i}.py").write_text(source)
    arguments = ("--continue-on-collection-errors", "--rootdir", place, place)
    return run(sys.executable, "-m", "pytest", "-q", *arguments, CI=ci).stdout.splitlines()[-1]


def test_a_skip_for_want_of_a_program_is_a_failure_in_ci_alone(tmp_path: Path) -> None:
    sources = [form.format(reason="tmux is not installed") for form in (SKIPPED, MODULE, MARKED)]
    assert "3 skipped" in outcome(tmp_path, sources, "")
    last = outcome(tmp_path, sources, "1")
    assert "1 failed, 2 errors" in last
    assert "skipped" not in last


def test_a_limit_of_the_machine_is_skipped_and_an_expected_failure_stays_one_in_ci_too(tmp_path: Path) -> None:
    reasons = ("no GPU here", "one core: nothing to see", "unshare: Operation not permitted")
    sources = [SKIPPED.format(reason=reason) for reason in reasons]
    assert "3 skipped, 1 xfailed" in outcome(tmp_path, [*sources, EXPECTED], "1")


COUNTED = """
import pytest
@pytest.mark.parametrize("n", [1, 20])
def test_it(tally, chaos, n):
    tally(3, cases=n * (100 if chaos else 1), bytes_lost=0)
"""


@pytest.mark.parametrize(("option", "cases"), [([], "21"), (["--chaos"], "2,100"), (["--chaos", "-n2"], "2,100")])
def test_what_tests_of_faults_went_through_is_summed_up_by_row(tmp_path: Path, option: list[str], cases: str) -> None:
    shutil.copy(ROOT / "tests/conftest.py", tmp_path)
    (tmp_path / "test_it.py").write_text(COUNTED)
    said = run(sys.executable, "-m", "pytest", "-q", *option, "--rootdir", tmp_path, tmp_path).stdout
    assert f"row  3  {cases} cases, 0 bytes lost\n" in said

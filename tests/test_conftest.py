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


def outcome(place: Path, source: str, ci: str) -> str:
    shutil.copy(ROOT / "tests/conftest.py", place)
    (place / "test_it.py").write_text(source)
    return run(sys.executable, "-m", "pytest", "-q", "--rootdir", place, place, CI=ci).stdout.splitlines()[-1]


@pytest.mark.parametrize("form", [SKIPPED, MODULE, MARKED])
def test_a_skip_for_want_of_a_program_is_a_failure_in_ci_alone(tmp_path: Path, form: str) -> None:
    source = form.format(reason="tmux is not installed")
    assert "1 skipped" in outcome(tmp_path, source, "")
    last = outcome(tmp_path, source, "1")
    assert "1 failed" in last or "1 error" in last
    assert "skipped" not in last


@pytest.mark.parametrize("reason", ["no GPU here", "one core: nothing to see", "unshare: Operation not permitted"])
def test_a_limit_of_the_machine_is_skipped_in_ci_too(tmp_path: Path, reason: str) -> None:
    assert "1 skipped" in outcome(tmp_path, SKIPPED.format(reason=reason), "1")


def test_an_expected_failure_stays_one_in_ci(tmp_path: Path) -> None:
    assert "1 xfailed" in outcome(tmp_path, "import pytest\n@pytest.mark.xfail\ndef test_it(): assert False\n", "1")


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

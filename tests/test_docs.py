"""What the documents say is run, and what they list is complete."""

from __future__ import annotations

import re
import sys
from fnmatch import fnmatch
from typing import TYPE_CHECKING

import click
import pytest

from atoll.evo.config import all_settings
from atoll.evo.errors import EXIT_CODES
from atoll.evo.settings import flag_name
from atoll.scripts.commands.group import cli
from docs import pages as generated
from tests.documents import ENDLESS, FINDINGS, GUIDES, SMALLER, check_commands, commands, copied_checkout
from tests.processes import ROOT, run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "shared" / "README.md"]
TABLES = ROOT / "docs" / "findings" / "tables"
HISTORY = [ROOT / "CHANGELOG.md", ROOT / "DECISIONS.md", *(ROOT / "docs" / "decisions").glob("*.md")]
"""Pages that speak of the past, where files had other names."""

REFERENCE = ROOT / "docs" / "reference"
LOADED_FROM_ELSEWHERE = re.compile(r"<(?:script|img|iframe|link)\b[^>]*\b(?:src|href)=[\"']?https?:")
MAX_PICTURE_BYTES = 2 << 20
LONGEST = {
    "README.md": 120,
    "ARCHITECTURE.md": 110,
    "docs/parallel-trials.md": 110,
    "docs/islands.md": 110,
    "PARALLEL_*.md": 200,
}
"""Lines of the pages that somebody reads to decide something."""


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Path]:
    with copied_checkout(tmp_path) as place:
        yield place


def test_no_command_sets_up_the_environment_of_who_tests(checkout: Path) -> None:
    assert run("make", "--question", "setup", cwd=checkout).returncode == 0
    assert not (checkout / ".venv").is_symlink()
    assert (checkout / "pyproject.toml").stat().st_mtime == 0


@pytest.mark.slow
@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.name)
def test_every_command_of_a_guide_runs(page: Path, checkout: Path) -> None:
    check_commands(page, checkout)


def test_every_size_that_is_run_in_small_and_every_endless_command_is_one_of_a_page() -> None:
    shown = [command for page in (*GUIDES, *FINDINGS) for command in commands(page)]
    assert all(any(size in command for command in shown) for size in SMALLER)
    assert set(shown) >= ENDLESS


def test_every_picture_of_a_page_is_there_told_in_words_and_small() -> None:
    pictures = [(page, *each) for page in PAGES for each in re.findall(r"!\[([^\]]*)\]\(([^)]+)\)", page.read_text())]
    assert pictures
    for page, words, name in pictures:
        assert len(words.split()) > 3 or TABLES in page.parents, name
        assert (page.parent / name).stat().st_size <= MAX_PICTURE_BYTES, name


def test_no_page_has_a_placeholder() -> None:
    assert [found for page in PAGES for found in re.findall(r"@[A-Z_]+@", page.read_text())] == []


@pytest.mark.parametrize("page", [page for page in PAGES if page not in HISTORY], ids=lambda page: page.name)
def test_every_file_that_a_page_names_is_there(page: Path) -> None:
    named = re.findall(r"`((?:evo|migration|scripts|tests|docs)/[^`\s:]*)[`:]", page.read_text())
    assert [name for name in named if not any(ROOT.glob(name.rstrip("/")))] == []


def test_no_page_is_longer_than_who_decides_by_it_will_read() -> None:
    names = {str(page.relative_to(ROOT)): len(page.read_text().splitlines()) for page in PAGES}
    for pattern, most in LONGEST.items():
        lengths = {name: length for name, length in names.items() if fnmatch(name, pattern)}
        assert lengths
        assert max(lengths.values()) <= most, lengths


def test_the_generated_pages_are_what_would_be_written_now(tmp_path: Path) -> None:
    written = run(sys.executable, "docs/pages.py", tmp_path).stdout.split()
    assert len(written) == len(generated.pages())
    stale = [place for place in written if (ROOT / place).read_text() != (tmp_path / place).read_text()]
    assert stale == [], "make pages writes them"


def test_the_reference_has_every_command_every_setting_and_every_exit_code() -> None:
    shown = (REFERENCE / "commands.md").read_text()
    assert [name for name in names_of(cli) if f"\n## {name}\n" not in shown] == []
    shown = (REFERENCE / "settings.md").read_text()
    assert [name for name in all_settings() if f"| `{flag_name(name)}`" not in shown] == []
    codes = re.findall(r"^\| (\d+) \|", (REFERENCE / "exit-codes.md").read_text(), flags=re.MULTILINE)
    assert set(map(int, codes)) == set(EXIT_CODES)


def names_of(command: click.Command, *before: str) -> list[str]:
    """Return the names of all commands below one; a group that does nothing alone has none."""
    if not isinstance(command, click.Group):
        return [" ".join(before)]
    context = click.Context(command)
    below = [(name, command.get_command(context, name)) for name in command.list_commands(context)]
    names = [each for name, inner in below if inner for each in names_of(inner, *before, name)]
    return [" ".join(before), *names] if command.invoke_without_command else names


def test_every_decision_has_a_date_and_a_status_and_is_in_the_index() -> None:
    index = (ROOT / "DECISIONS.md").read_text()
    for page in (ROOT / "docs" / "decisions").glob("*.md"):
        titles = re.findall(r"^## (.+)$", page.read_text(), flags=re.MULTILINE)
        entries = [found["title"] for found in generated.ENTRY.finditer(page.read_text())]
        assert entries == titles
        assert [title for title in titles if f"[{title}](docs/decisions/{page.name}#" not in index] == []
        statuses = [found["status"] for found in generated.ENTRY.finditer(page.read_text())]
        assert [status for status in statuses if not status.startswith(("accepted", "superseded by ["))] == []


def test_the_start_page_names_every_dependency() -> None:
    text = (ROOT / "docs" / "start.md").read_text().split("## What it stands on")[1].split("##")[0]
    declared = re.findall(r'^  "([a-z-]+)(?:\[\w+\])?>=', (ROOT / "pyproject.toml").read_text(), flags=re.MULTILINE)
    assert declared
    assert [name for name in declared if name not in text] == []


def test_the_changelog_begins_with_the_version_that_package_and_citation_have() -> None:
    newest = re.search(r"^## (\d+\.\d+\.\d+) · \d{4}-\d\d-\d\d$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest
    assert f'version = "{newest[1]}"' in (ROOT / "pyproject.toml").read_text()
    assert f"version: {newest[1]}\n" in (ROOT / "CITATION.cff").read_text()


@pytest.mark.slow
def test_the_site_builds_without_a_warning_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    built = run(sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", tmp_path, NO_MKDOCS_2_WARNING="1")
    assert built.returncode == 0, built.stderr
    pages = list(tmp_path.rglob("*.html"))
    assert pages
    assert [page.name for page in pages if LOADED_FROM_ELSEWHERE.search(page.read_text())] == []


def test_every_make_target_is_in_the_help() -> None:
    makefile = (ROOT / "Makefile").read_text()
    shown = run("make", "--no-print-directory").stdout
    phony = re.search(r"^\.PHONY: (.*)$", makefile, flags=re.MULTILINE)
    assert phony
    for target in phony[1].split():
        assert re.search(rf"^  make {target} +\S", shown, flags=re.MULTILINE), target


def test_ci_runs_check_and_test() -> None:
    lines = (ROOT / ".ci/run").read_text().splitlines()
    assert [line for line in lines if line.startswith("make ")] == ["make check", "make test", "make test-lab"]

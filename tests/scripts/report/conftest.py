"""A real archipelago with kills and restarts, and a real browser."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from atoll.evo.paths import SharedPaths
from tests.processes import ROOT, atoll, wait_until
from tests.scripts.report.pages import write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SETTINGS = (
    "--algorithm",
    "ga",
    "--topology",
    "full",
    "-p",
    "16",
    "--migrate-every",
    "20",
    "-o",
    "life_s=6",
    "-o",
    "courses=2",
)
FOREVER = "1000000"
NAMES = ("reef-a", "reef-b", "reef-c")


@pytest.fixture(scope="session")
def archipelago(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three islands; `reef-b` was killed and started again, `reef-c` stopped and started again."""
    root = tmp_path_factory.mktemp("report") / "lagoon"
    place = ("--migration-dir", str(root))
    assert atoll("evolve", "reef-a", *SETTINGS, "-g", "60", *place).returncode == 0
    for name, number in (("reef-b", signal.SIGKILL), ("reef-c", signal.SIGTERM)):
        rate = ("--mutation-rate", "0.02") if name == "reef-c" else ()
        start = (sys.executable, "cli.py", "evolve", name, *SETTINGS, *rate, *place, "-g")
        with subprocess.Popen(
            (*start, FOREVER), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            wait_until(lambda name=name: generation(root, name) >= 15, f"{name} to live")
            process.send_signal(number)
        goal = str(generation(root, name) + 30)
        assert subprocess.run((*start, goal), cwd=ROOT, capture_output=True, check=False).returncode == 0
    return root


def generation(root: Path, name: str) -> int:
    try:
        lines = SharedPaths(root).island(name).log.read_text().splitlines()
    except FileNotFoundError:
        return -1
    return max((json.loads(line)["generation"] for line in lines[:-1]), default=-1)


@pytest.fixture
def copy(archipelago: Path, tmp_path: Path) -> Path:
    """The same archipelago, to be tampered with."""
    shutil.copytree(archipelago, tmp_path / "copy")
    return tmp_path / "copy"


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Headless Chromium, the distribution's; 3-D is drawn by the processor."""
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        pytest.skip("no Chromium here: apt-get install chromium")
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - not where no browser is

    flags = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, args=flags)
        yield running
        running.close()


@pytest.fixture(scope="session")
def written(archipelago: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its page."""
    return write(archipelago, tmp_path_factory.mktemp("page") / "report.html")

"""Whatever a run's files are like, the page is there, says so, and runs nothing of theirs."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from atoll.evo import arrayfile
from atoll.evo.paths import SharedPaths
from atoll.scripts.report.walks import MAX_FILMED
from tests.processes import ROOT, atoll, wait_until
from tests.scripts.report.conftest import FOREVER, SETTINGS, generation
from tests.scripts.report.pages import PICTURES, WIDE, numbers, opened, write

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

EVIL = "</script><script>window.hacked=1</script><img src=x onerror=window.hacked=1>\"'&amp;"


def rewrite(path: Path, change) -> None:
    records = [json.loads(line) for line in path.read_text().splitlines()]
    for record_ in records:
        change(record_)
    path.write_text("".join(json.dumps(each) + "\n" for each in records))


def test_nothing_that_a_file_says_ever_runs(browser, copy, tmp_path):
    root = tmp_path / EVIL.replace("/", "")
    copy.rename(root)
    paths = SharedPaths(root).island("reef-a")

    def poison_log(record_: dict) -> None:
        if record_["kind"] == "start":
            record_["settings"] = {EVIL: EVIL, "options": {EVIL: EVIL}, "task": EVIL, "seed": EVIL}
            record_ |= {"host": EVIL, "run_id": EVIL, "backend": EVIL, "build": EVIL}
        else:
            record_["ancestry"] = {EVIL: 0.5, "__proto__": 0.25, "reef-a": 0.25}

    def poison_ledger(record_: dict) -> None:
        record_["source"] = record_["reason"] = record_["detail"] = EVIL
        record_["kind"] = "imported" if record_["kind"] == "published" else record_["kind"]

    rewrite(paths.log, poison_log)
    rewrite(paths.ledger, poison_ledger)
    (SharedPaths(root).homes / "<b>no island").mkdir()
    arrays, metadata = arrayfile.decode(paths.champion.read_bytes())
    metadata |= {"island": EVIL, "islands": [EVIL for _ in metadata["islands"]]}
    paths.champion.write_bytes(arrayfile.encode(arrays, metadata))
    with opened(browser, write(root, tmp_path / "page.html")) as page:
        page.wait_for_timeout(300)
        assert page.evaluate("window.hacked") is None
        assert page.locator("img, script[src], b").count() == 0
        assert page.locator("script").count() == 3
        assert EVIL[:40] in page.text_content("#ancestry-key")
        assert EVIL.replace("/", "") in page.text_content("h1")


def test_an_island_without_a_champion_and_a_torn_line_are_told_of(browser, copy, tmp_path):
    paths = SharedPaths(copy).island("reef-b")
    paths.champion.unlink()
    with paths.log.open("ab") as log:
        log.write(b'{"kind":"generation","gener')
    SharedPaths(copy).island("reef-c").champion.write_bytes(b"nonsense")
    lines = SharedPaths(copy).island("reef-a").ledger.read_text()
    SharedPaths(copy).island("reef-a").ledger.write_text("no json\n" + lines)
    with opened(browser, write(copy, tmp_path / "page.html")) as page:
        page.select_option("#island", "reef-b")
        assert page.text_content("#creature-words").startswith("reef-b has no champion yet. The picture shows the best")
        assert page.text_content("#labels span").startswith("reef-a")
        notes = page.text_content("#notes")
        assert "the champion of reef-c" in notes
        assert "1 line of the logs of reef-a cannot be read" in notes


def test_a_run_that_has_hardly_begun_is_a_page_too(browser, tmp_path):
    root = tmp_path / "young"
    (root / "islands" / "a").mkdir(parents=True)
    (root / "islands" / "a" / "log.jsonl").touch()
    with opened(browser, write(root, tmp_path / "page.html"), has_champions=False) as page:
        assert page.text_content("#stage-none") == "No champion is there yet to be shown."
        assert page.text_content("#migration-map") == "No genome has been taken in yet."
        assert page.text_content("#islands-table tbody th") == "a"


def test_another_task_has_everything_but_bodies(browser, tmp_path):
    root = tmp_path / "functions"
    for name in ("a", "b"):
        ended = atoll(
            "evolve", name, "-p", "8", "-g", "6", "--migrate-every", "2", "--task", "sphere", "--migration-dir", root
        )
        assert ended.returncode == 0
    with opened(browser, write(root, tmp_path / "page.html"), has_champions=False) as page:
        assert page.text_content("#stage-none") == "This task has no bodies to show."
        assert numbers(page, "#fitness-chart [data-points]", "points") == [14]
        assert numbers(page, "#genes canvas", "points")


def test_a_run_in_progress_is_reported_while_it_goes_on(browser, copy, tmp_path):
    start = (sys.executable, "cli.py", "evolve", "reef-d", *SETTINGS, "-g", FOREVER, "--migration-dir", str(copy))
    with subprocess.Popen(start, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as island:
        try:
            wait_until(lambda: generation(copy, "reef-d") >= 3, "a fourth island to live")
            page_file = write(copy, tmp_path / "page.html")
            assert island.poll() is None
        finally:
            island.terminate()
    with opened(browser, page_file) as page:
        assert "still running: 1 of 4" in page.text_content("#subtitle")
        assert page.text_content("#islands-table tbody tr:last-child td").strip() == "running"
        assert page.evaluate("atollReport.document.islands[3].generation") >= 3


def test_what_a_writer_has_half_done_is_no_obstacle(browser, copy, tmp_path):
    """A temporary file beside a champion, a publication that was pruned, a beat that is missing."""
    paths = SharedPaths(copy).island("reef-a")
    (paths.home / ".tmp-champion").write_bytes(b"half")
    paths.beat.unlink()
    shutil.rmtree(paths.publication(20))
    with opened(browser, write(copy, tmp_path / "page.html")) as page:
        assert page.locator("#islands-table tbody tr").count() == 3


def test_a_huge_run_is_one_small_page_with_the_best_on_the_move_and_all_in_tables(browser, copy, tmp_path):
    shared = SharedPaths(copy)
    for i in range(200):
        shutil.copytree(shared.island("reef-a").home, shared.island(f"atoll-{i:03}").home)
    page_file = write(copy, tmp_path / "page.html")
    assert page_file.stat().st_size < 5e6
    with opened(browser, page_file) as page:
        assert f"{MAX_FILMED} of 203 champions are simulated and shown" in page.text_content("#notes")
        assert page.locator("#islands-table tbody tr").count() == 203
        assert page.locator("#migration-map text[transform]").count() > 20  # names like spokes
        assert page.evaluate("document.documentElement.scrollWidth") <= WIDE["width"]
        page.screenshot(path=PICTURES / "page-huge.png", full_page=True)

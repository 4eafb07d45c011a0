"""The page as people meet it: in Chromium, from a file, without a network. Pictures of it go to build/report/."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from evo import arrayfile
from evo.paths import SharedPaths
from evo.tasks.creatures import course
from evo.tasks.creatures.recording import record
from scripts.report import champion as champions
from tests.processes import ROOT, atoll, wait_until
from tests.scripts.report.conftest import FOREVER, SETTINGS, generation

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.slow

PICTURES = ROOT / "build" / "report"
WIDE, PHONE = {"width": 1000, "height": 700}, {"width": 390, "height": 844}
SCHEMES = ("light", "dark")
EVIL = "</script><script>window.hacked=1</script><img src=x onerror=window.hacked=1>\"'&amp;"


@contextmanager
def opened(
    browser: Browser, page_file: Path, *, size=WIDE, scheme="light", motion="reduce", has_champions=True
) -> Iterator[Page]:
    """Open a page; at the end nothing may have gone wrong in it, and nothing been asked for."""
    context = browser.new_context(viewport=size, color_scheme=scheme, reduced_motion=motion, has_touch=size is PHONE)
    page = context.new_page()
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(page_file.as_uri())
    page.wait_for_selector("html[data-ready=yes]")
    if has_champions:
        page.wait_for_selector("html[data-cast]")
    yield page
    page.wait_for_timeout(100)
    context.close()
    assert said == []
    assert asked == [page_file.as_uri()]


@pytest.fixture(scope="module")
def written(archipelago: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(archipelago, tmp_path_factory.mktemp("page") / "report.html")


def write(root: Path, out: Path) -> Path:
    ended = atoll("report", root, "-o", out)
    assert ended.returncode == 0, ended.stderr
    return out


def picture(page: Page) -> bytes:
    return page.locator("#stage").screenshot()


def changed(before: bytes, after: bytes) -> float:
    """Return the share of pixels that are clearly not the same."""
    one, other = (np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), dtype=int) for data in (before, after))
    return float((np.abs(one - other).max(axis=2) > 40).mean())


def numbers(page: Page, selector: str, name: str) -> list[int]:
    return [int(value) for value in page.eval_on_selector_all(selector, f"all => all.map(one => one.dataset.{name})")]


def test_what_is_drawn_is_what_the_evaluator_scored_frame_for_frame(browser, written, archipelago):
    with opened(browser, written) as page:
        told = page.evaluate("atollReport.document")
        for i, island in enumerate(told["islands"]):
            champion = champions.read(SharedPaths(archipelago).island(island["name"]).champion)
            creatures = champions.creatures_of(champion)
            assert island["champion"]["is_confirmed"]
            assert creatures.evaluate(champion.genome[None], 0)[0] == np.float32(champion.fitness)
            for name, number in (("trained", 0), ("unseen", course.UNSEEN)):
                life = record(creatures, champion.genome, course_number=number)
                shown = page.evaluate(
                    f"""async () => {{
                        const walks = atollReport.document.islands[{i}].champion.walks;
                        const film = await atollReport.unpack(walks[walks.length - 1].{name});
                        return {{ ...film, places_m: null, places: Array.from(film.places_m) }};
                    }}"""
                )
                places = np.array(shown["places"]).reshape(shown["n_frames"], 3, -1)
                np.testing.assert_allclose(places, life.position_m[1::2], atol=0.501 * shown["quantum_m"], rtol=1e-6)
                assert shown["fitness"] == pytest.approx(life.fitness, abs=1e-3)
                assert len(shown["taken_at"]) == life.collected[-1]


def test_the_creature_moves_and_time_can_be_scrubbed(browser, written):
    with opened(browser, written) as page:
        at_birth = picture(page)
        page.click("#play")
        wait_until(lambda: page.evaluate("atollReport.player.frame") > 20, "the walk to go on")
        page.click("#play")
        frame = page.evaluate("atollReport.player.frame")
        later = picture(page)
        assert changed(at_birth, later) > 0.01
        page.wait_for_timeout(200)
        assert page.evaluate("atollReport.player.frame") == frame  # it pauses
        page.focus("#scrub")
        page.keyboard.press("End")
        assert page.text_content("#clock") == "6.0 s"
        assert page.get_attribute("#scrub", "aria-valuetext") == "6.0 seconds"
        at_the_end = picture(page)
        assert min(changed(at_the_end, at_birth), changed(at_the_end, later)) > 0.01
        page.keyboard.press("Home")
        assert changed(picture(page), at_birth) < 0.001
        assert page.text_content("#creature-frame").startswith("At 0.0 s.")


def test_it_plays_by_itself_where_motion_is_welcome_and_only_while_it_is_seen(browser, written):
    with opened(browser, written, motion="no-preference") as page:
        wait_until(lambda: page.evaluate("atollReport.player.frame") > 5, "the walk to begin")
        page.evaluate("document.getElementById('timeline').scrollIntoView()")
        wait_until(lambda: not page.evaluate("atollReport.player.isPlaying"), "the walk to wait for its watcher")
        page.evaluate("document.getElementById('creatures').scrollIntoView()")
        wait_until(lambda: page.evaluate("atollReport.player.isPlaying"), "the walk to go on")
    with opened(browser, written) as page:
        page.wait_for_timeout(300)
        assert page.evaluate("atollReport.player.frame") == 0


def test_playing_what_plays_already_does_not_draw_it_twice(browser, written):
    with opened(browser, written) as page:
        for _ in range(5):
            page.evaluate("atollReport.play(true)")
        counted = """async () => {
            let steps = 0, frames = 0;
            const original = window.requestAnimationFrame;
            window.requestAnimationFrame = (call) => { steps += 1; return original(call); };
            await new Promise((done) => {
                const each = () => { frames += 1; if (frames < 10) original(each); else done(); };
                original(each);
            });
            window.requestAnimationFrame = original;
            return steps / frames;
        }"""
        assert page.evaluate(counted) < 1.5


def test_the_stage_listens_to_keys_and_to_a_pointer(browser, written):
    with opened(browser, written) as page:
        pictures = [picture(page)]
        page.focus("#canvas")
        for key in ("ArrowLeft", "ArrowUp", "+", ".", "-"):
            page.keyboard.press(key)
            pictures.append(picture(page))
        box = page.locator("#canvas").bounding_box()
        page.mouse.move(box["x"] + 200, box["y"] + 200)
        page.mouse.down()
        page.mouse.move(box["x"] + 320, box["y"] + 220)
        page.mouse.up()
        pictures.append(picture(page))
        page.uncheck("#follow")
        pictures.append(picture(page))
        assert min(changed(before, after) for before, after in pairwise(pictures)) > 0.001
        page.focus("#canvas")
        page.keyboard.press("Space")
        assert page.text_content("#play") == "Pause"


def test_a_wheel_over_the_picture_scrolls_the_page_until_the_picture_is_clicked(browser, written):
    with opened(browser, written) as page:
        box = page.locator("#canvas").bounding_box()
        place = (box["x"] + 60, box["y"] + 60)
        away = "atollReport.player.stage.camera.position.length()"
        before = page.evaluate(away)
        page.mouse.move(*place)
        page.mouse.wheel(0, 120)
        wait_until(lambda: page.evaluate("scrollY") > 0, "the page to scroll")
        assert page.evaluate(away) == before
        page.evaluate("scrollTo({ top: 0, behavior: 'instant' })")
        page.mouse.click(*place)
        page.mouse.wheel(0, 120)
        wait_until(lambda: page.evaluate(away) != before, "the picture to come closer")
        assert page.evaluate("scrollY") == 0


def test_a_finger_that_moves_up_over_the_picture_scrolls_the_page(browser, written):
    with opened(browser, written, size=PHONE) as page:
        page.evaluate("document.getElementById('canvas').scrollIntoView({ block: 'center', behavior: 'instant' })")
        box, before = page.locator("#canvas").bounding_box(), page.evaluate("scrollY")
        place = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
        session = page.context.new_cdp_session(page)
        session.send("Input.synthesizeScrollGesture", {**place, "yDistance": -200, "gestureSourceType": "touch"})
        wait_until(lambda: page.evaluate("scrollY") > before + 100, "the page to scroll")


@pytest.mark.parametrize(("view", "n"), [("one", 1), ("generations", 2), ("courses", 2), ("islands", 3)])
def test_creatures_walk_side_by_side(browser, written, view, n):
    with opened(browser, written) as page:
        before = page.get_attribute("html", "data-cast")
        page.check(f'input[name="view"][value="{view}"]')
        if view != "one":
            wait_until(lambda: page.get_attribute("html", "data-cast") != before, "another cast")
        labels = page.locator("#labels span")
        assert labels.count() >= n
        page.evaluate("atollReport.seek(90)")
        page.locator("#creatures").screenshot(path=PICTURES / f"creatures-{view}.png")


def test_every_chart_has_data_and_its_table(browser, written):
    with opened(browser, written) as page:
        told = page.evaluate("atollReport.document")
        points = sum(island["generation"] + 1 for island in told["islands"])
        assert numbers(page, "#fitness-chart [data-points]", "points") == [points]
        assert numbers(page, "#diversity-chart [data-points]", "points") == [points]
        assert numbers(page, "#ancestry-charts canvas", "points") == [i["generation"] + 1 for i in told["islands"]]
        [genes] = numbers(page, "#genes canvas", "points")
        assert genes == 3 * 521
        assert numbers(page, "#timeline-chart svg", "bars") == [5]
        [lines] = numbers(page, "#migration-map svg", "lines")
        assert lines > 0
        for name in ("islands", "fitness", "migration", "ancestry", "diversity", "timeline"):
            rows = page.locator(f"#{name} tbody tr")
            assert rows.count() >= 3, name
            assert page.locator(f"#{name} thead th").count() >= 3, name
        assert page.locator("#settings-table thead th").all_text_contents() == ["island", "mutation_rate"]
        assert page.locator("#fitness-chart canvas").count() == 1
        colours = "canvas => new Set(canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data).size"
        assert page.eval_on_selector("#fitness-chart canvas", colours) > 3  # something is drawn there


def test_the_head_of_a_table_stays_while_its_rows_scroll(browser, written):
    with opened(browser, written) as page:
        page.click("#fitness summary")
        seen = page.evaluate(
            """() => {
                const scroll = document.getElementById("fitness-table");
                scroll.scrollIntoView({ block: "center" });
                scroll.scrollTop = 200;
                const box = scroll.querySelector("thead th").getBoundingClientRect();
                return [scroll.scrollTop, document.elementFromPoint(box.left + 5, box.top + box.height / 2).textContent];
            }"""
        )
        assert seen == [200, "generation"]


def test_migrations_can_be_dragged_through_time(browser, written):
    with opened(browser, written) as page:
        at_the_end = page.text_content("#migration-words")
        page.focus("#migration-time")
        page.keyboard.press("Home")
        assert page.text_content("#migration-words").startswith("0 genomes taken in")
        assert numbers(page, "#migration-map svg", "lines") == [0]
        page.keyboard.press("End")
        assert page.text_content("#migration-words") == at_the_end
        taken = sum(page.evaluate("atollReport.document.islands.map(island => island.imports)"))
        assert at_the_end.startswith(f"{taken} genomes")


def test_what_is_looked_at_is_the_same_everywhere(browser, written):
    with opened(browser, written) as page:
        for name in ("reef-b", "reef-c"):
            page.select_option("#island", name)
            assert page.text_content("#creature-words").startswith(f"{name}'s champion")
            assert page.text_content("#islands-table tr.chosen th") == name
            assert page.text_content("#ancestry-charts .chosen figcaption") == name
            assert f"{name} gave" in page.text_content("#migration-words")
        page.click("#islands-table tbody tr:first-child button")
        assert page.input_value("#island") == "reef-a"


@pytest.mark.parametrize(
    ("name", "size", "scheme"),
    [(f"{width}-{scheme}", size, scheme) for width, size in (("wide", WIDE), ("phone", PHONE)) for scheme in SCHEMES],
)
def test_it_fits_light_dark_and_a_phone(browser, written, name, size, scheme):
    with opened(browser, written, size=size, scheme=scheme) as page:
        assert page.get_attribute("html", "data-theme") == scheme
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
        page.evaluate("atollReport.seek(90)")
        page.screenshot(path=PICTURES / f"page-{name}.png", full_page=True)
        page.click("#theme")
        assert page.get_attribute("html", "data-theme") != scheme


def test_everything_to_press_has_a_name_and_every_picture_words(browser, written):
    with opened(browser, written) as page:
        nameless = """() => [...document.querySelectorAll("button, input, select, [role=img]")].filter((element) =>
            !(element.getAttribute("aria-label") || element.textContent.trim() || element.labels?.length)).length"""
        assert page.evaluate(nameless) == 0
        assert page.locator(".scroll:not([tabindex])").count() == 0  # who has no mouse can scroll too
        assert page.locator("h1").count() == 1
        assert page.get_attribute("html", "lang") == "en"
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to the creatures"


def test_code_that_the_policy_does_not_name_never_runs(browser, written):
    context = browser.new_context()
    page = context.new_page()
    page.goto(written.as_uri())
    page.evaluate(
        "document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.hacked=1'}))"
    )
    page.evaluate("document.body.append(Object.assign(document.createElement('img'), {src: 'http://127.0.0.1:9/x'}))")
    assert page.evaluate("window.hacked") is None
    assert page.evaluate("fetch('data:,x').then(() => 'fetched', () => 'refused')") == "refused"
    context.close()


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


def test_without_3d_the_page_says_so_and_the_rest_is_there(written, browser):
    context = browser.new_context()
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.add_init_script(
        "HTMLCanvasElement.prototype.getContext = (original => function (kind, ...more) {"
        "return kind.startsWith('webgl') ? null : original.call(this, kind, ...more); })"
        "(HTMLCanvasElement.prototype.getContext);"
    )
    page.goto(written.as_uri())
    page.wait_for_selector("html[data-ready=yes]")
    assert "no WebGL" in page.text_content("#stage-none")
    assert page.text_content("#creature-words").startswith("reef-")
    assert numbers(page, "#fitness-chart [data-points]", "points")
    assert errors == []
    context.close()


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

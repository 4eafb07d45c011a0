"""The creatures on the page's stage, in Chromium: what is drawn is what was simulated, and it moves as one asks."""

from __future__ import annotations

import base64
import re
from itertools import pairwise

import numpy as np
import pytest

from atoll.evo.paths import SharedPaths
from atoll.evo.tasks.creatures.recording import record
from atoll.evo.tasks.creatures.world import FIRST_UNSEEN
from atoll.scripts.report import champion as champions
from atoll.scripts.report import walks
from tests.processes import hang_s, wait_until
from tests.scripts.report.lives import made_up, unpack
from tests.scripts.report.pages import PHONE, PICTURES, WITHOUT_3D, changed, numbers, opened, picture

pytestmark = pytest.mark.slow


def test_what_is_drawn_is_what_the_evaluator_scored_frame_for_frame(browser, written, archipelago):
    with opened(browser, written) as page:
        told = page.evaluate("atollReport.document")
        for i, island in enumerate(told["islands"]):
            champion = champions.read(SharedPaths(archipelago).island(island["name"]).champion)
            creatures = champions.creatures_of(champion)
            assert island["champion"]["is_confirmed"]
            assert creatures.evaluate(champion.genome[None], 0)[0] == np.float32(champion.fitness)
            for name, number in (("trained", 0), ("unseen", FIRST_UNSEEN)):
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


def test_any_places_come_back_in_the_page_as_they_do_here(browser, written):
    random = np.random.default_rng(7)
    with opened(browser, written) as page:
        for reach_m in (0.1, 32.0, 9e3):
            places = random.uniform(-reach_m, reach_m, (50, 3, 4))
            places[::2, :, 0] *= reach_m / np.abs(places[::2, :, 0])  # from end to end: differences wrap around
            packed = walks.pack(made_up(places))
            shown = page.evaluate("async film => Array.from((await atollReport.unpack(film)).places_m)", packed)
            np.testing.assert_allclose(np.reshape(shown, places.shape), unpack(packed), rtol=1e-6)
            np.testing.assert_allclose(np.reshape(shown, places.shape), places, atol=0.501 * packed["quantum_m"])


def test_a_damaged_film_is_refused_or_is_the_same_film(browser, written):
    random = np.random.default_rng(8)
    packed = walks.pack(made_up(random.normal(size=(30, 3, 4))))
    data = base64.b64decode(packed["places"])
    damaged = [data[:n] for n in random.integers(0, len(data), 20)]
    for bit in random.integers(0, 8 * len(data), 60):
        turned = bytearray(data)
        turned[bit // 8] ^= 1 << bit % 8
        damaged.append(bytes(turned))
    told = """(films) => Promise.all(films.map((film) =>
        atollReport.unpack(film).then(({ places_m }) => Array.from(places_m), () => null)))"""
    with opened(browser, written) as page:
        films = [packed, *({**packed, "places": base64.b64encode(each).decode()} for each in damaged)]
        whole, *found = page.evaluate(told, films)
        assert whole is not None
        assert all(places is None or places == whole for places in found)
        assert found.count(None) > 0.9 * len(found)  # a few bits mean nothing


def test_damaged_walks_are_not_drawn_and_the_page_says_so(browser, written, tmp_path):
    damaged = tmp_path / "report.html"
    damaged.write_text(re.sub(r'("places":"[^"]{100})(.)', r"\1", written.read_text()))
    with opened(browser, damaged, has_champions=False) as page:
        page.wait_for_selector("#stage-none:not([hidden])")
        assert "damaged" in page.text_content("#stage-none")
        assert page.is_hidden("#canvas")
        assert page.text_content("#creature-words").startswith("reef-")
        assert numbers(page, "#fitness-chart [data-points]", "points")


def test_what_was_chosen_last_is_on_the_stage_however_long_an_earlier_choice_takes(browser, written):
    with opened(browser, written) as page:
        choose = "value => document.querySelector(`input[name=view][value=${value}]`).click()"
        page.evaluate(f"['islands', 'one'].forEach({choose})")  # one film is unpacked already, the others are not
        wait_until(lambda: page.get_attribute("html", "data-cast") == "3", "the last choice")
        page.evaluate(
            """async () => {
                const walks = atollReport.document.islands.map((island) => island.champion.walks.at(-1));
                await Promise.all(walks.map(({ unseen }) => atollReport.unpack({ ...unseen, places_m: undefined })));
            }"""
        )
        page.wait_for_timeout(200)
        assert page.locator("#labels span").count() == 1
        assert page.get_attribute("html", "data-cast") == "3"


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
        finger = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
        session = page.context.new_cdp_session(page)
        session.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [finger]})
        for _ in range(10):
            finger["y"] -= 20
            session.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [finger]})
        session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
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


def test_without_3d_the_page_says_so_and_the_rest_is_there(written, browser):
    context = browser.new_context()
    context.set_default_timeout(1000 * hang_s())
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.add_init_script(WITHOUT_3D)
    page.goto(written.as_uri())
    page.wait_for_selector("html[data-ready=yes]")
    assert "no WebGL" in page.text_content("#stage-none")
    assert page.text_content("#creature-words").startswith("reef-")
    assert numbers(page, "#fitness-chart [data-points]", "points")
    assert errors == []
    context.close()

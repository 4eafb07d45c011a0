"""The page as people meet it: in Chromium, from a file, without a network."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from atoll.evo.paths import SharedPaths
from tests.processes import atoll, hang_s, wait_until
from tests.scripts.report.conftest import SETTINGS
from tests.scripts.report.pages import PHONE, PICTURES, WIDE, numbers, opened, write

pytestmark = pytest.mark.slow

SCHEMES = ("light", "dark")


def test_every_chart_has_data_and_its_table(browser, written):
    with opened(browser, written, has_stage=False) as page:
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


def test_the_name_of_a_setting_is_seen_whole(browser, written):
    with opened(browser, written, has_stage=False) as page:
        clipped = """() => {
            const head = document.querySelector("#settings-table thead th:last-child");
            head.textContent = "a_setting_with_a_long_name";
            return head.scrollWidth > head.clientWidth;
        }"""
        assert page.evaluate(clipped) is False


def test_the_head_of_a_table_stays_while_its_rows_scroll(browser, written):
    with opened(browser, written, has_stage=False) as page:
        page.click("#fitness summary")
        seen = page.evaluate(
            """() => {
                const scroll = document.getElementById("fitness-table");
                scroll.scrollIntoView({ block: "center" });
                scroll.scrollTop = 200;
                const box = scroll.querySelector("thead th").getBoundingClientRect();
                const there = document.elementFromPoint(box.left + 5, box.top + box.height / 2);
                return [scroll.scrollTop, there.textContent];
            }"""
        )
        assert seen == [200, "generation"]


def test_islands_that_ended_early_share_the_others_axis(browser, copy, tmp_path):
    log = SharedPaths(copy).island("reef-b").log
    log.write_text("".join(log.read_text().splitlines(keepends=True)[:12]))
    with opened(browser, write(copy, tmp_path / "page.html")) as page:
        last = [island["generation"] for island in page.evaluate("atollReport.document.islands")]
        assert last[1] < max(last) / 2
        painted = """all => all.map((canvas) => {
            const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
            const columns = Array.from({ length: canvas.width }, (_, column) => column);
            return columns.filter((column) => data[4 * column + 3] > 127).length / canvas.width;
        })"""
        shares = page.eval_on_selector_all("#ancestry-charts canvas", painted)
        np.testing.assert_allclose(shares, np.divide(last, max(last)), atol=0.02)


def test_what_is_drawn_anew_takes_the_place_of_what_was_there(browser, written):
    drawn = """() => Object.fromEntries(["fitness", "diversity", "ancestry", "migration", "timeline"].map(
        (id) => [id, document.querySelectorAll(`#${id} canvas, #${id} svg`).length]))"""
    with opened(browser, written, has_stage=False) as page:
        before = page.evaluate(drawn)
        assert min(before.values()) > 0
        for name in ("reef-b", "reef-c"):
            page.select_option("#island", name)
        page.click("#theme")
        page.check('input[name="curve"][value="median"]')
        assert page.evaluate(drawn) == before


def test_migrations_can_be_dragged_through_time(browser, written):
    with opened(browser, written, has_stage=False) as page:
        at_the_end = page.text_content("#migration-words")
        page.focus("#migration-time")
        page.keyboard.press("Home")
        assert page.text_content("#migration-words").startswith("0 genomes taken in")
        assert numbers(page, "#migration-map svg", "lines") == [0]
        page.keyboard.press("End")
        assert page.text_content("#migration-words") == at_the_end
        taken = sum(page.evaluate("atollReport.document.islands.map(island => island.imports)"))
        assert at_the_end.startswith(f"{taken} genomes")


def test_islands_that_give_to_each_other_have_a_line_each(browser, copy, tmp_path):
    """The first island goes on, and takes from those who took from it."""
    assert atoll("evolve", "reef-a", *SETTINGS, "-g", "120", "--migration-dir", str(copy)).returncode == 0
    with opened(browser, write(copy, tmp_path / "page.html")) as page:
        paths = page.evaluate(
            "[...document.querySelectorAll('#migration-map path')].map(each => each.getAttribute('d'))"
        )
    lines = {}
    for path in paths:
        begin, middle, end = re.fullmatch(r"M(.+)Q(\S+ \S+) (\S+ \S+)", path).groups()
        lines[begin, end] = middle
    both = [ends for ends in lines if ends[::-1] in lines]
    assert both
    assert all(lines[ends] != lines[ends[::-1]] for ends in both)


def test_migrations_play_by_themselves_one_step_at_a_time_however_often_one_presses(browser, written):
    with opened(browser, written, has_stage=False) as page:
        waiting = """() => {
            const { setTimeout, clearTimeout } = window, pending = new Set();
            window.setTimeout = (...all) => { const id = setTimeout(...all); pending.add(id); return id; };
            window.clearTimeout = (id) => { pending.delete(id); clearTimeout(id); };
            for (let i = 0; i < 5; i++) document.getElementById("migration-play").click();
            Object.assign(window, { setTimeout, clearTimeout });
            return pending.size;
        }"""
        assert page.evaluate(waiting) == 1
        wait_until(lambda: int(page.input_value("#migration-time")) > 9, "the migrations to go on")
        page.click("#migration-play")
        assert page.text_content("#migration-play") == "Play"
        words = page.text_content("#migration-words")
        page.wait_for_timeout(200)
        assert page.text_content("#migration-words") == words


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
    with opened(browser, written, has_stage=False) as page:
        nameless = """() => [...document.querySelectorAll("button, input, select, [role=img]")].filter((element) =>
            !(element.getAttribute("aria-label") || element.textContent.trim() || element.labels?.length)).length"""
        assert page.evaluate(nameless) == 0
        assert page.locator(".scroll:not([tabindex])").count() == 0  # who has no mouse can scroll too
        assert page.locator("h1").count() == 1
        assert page.get_attribute("html", "lang") == "en"
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to the creatures"


REACHING_OUT = {
    "script-src-elem": "add('script', { textContent: 'window.hacked = 1' })",
    "script-src-attr": "add('p', { innerHTML: '<b onclick=\"window.hacked = 1\"></b>' }).firstChild.click()",
    "style-src-elem": "add('style', { textContent: 'body { background: url(URL) }' })",
    "img-src": "add('img', { src: 'URL' })",
    "media-src": "add('audio', { src: 'URL' })",
    "frame-src": "add('iframe', { src: 'URL' })",
    "object-src": "add('object', { data: 'URL' })",
    "connect-src": "fetch('URL').catch(() => {})",
    "base-uri": "add('base', { href: 'URL' })",
    "form-action": "add('form', { action: 'URL' }).submit()",
}
"""Ways to run a stranger's code or to ask for something, by what refuses each."""


def test_code_that_the_policy_does_not_name_never_runs_and_nothing_can_be_asked_for(browser, written):
    context = browser.new_context()
    context.set_default_timeout(1000 * hang_s())
    page = context.new_page()
    page.goto(written.as_uri())
    page.evaluate(
        """() => {
            window.refused = [];
            document.addEventListener("securitypolicyviolation", (event) => refused.push(event.effectiveDirective));
            window.add = (tag, properties) => {
                const element = Object.assign(document.createElement(tag), properties);
                document.body.append(element);
                return element;
            };
        }"""
    )
    for attempt in REACHING_OUT.values():
        page.evaluate(f"() => {{ {attempt.replace('URL', 'http://127.0.0.1:9/x')}; }}")
    wait_until(lambda: set(page.evaluate("refused")) == set(REACHING_OUT), "all of that to be refused")
    assert page.evaluate("window.hacked") is None
    assert page.evaluate("fetch('data:,x').then(() => 'fetched', () => 'refused')") == "refused"
    context.close()


def test_a_team_is_a_table_of_its_members_and_their_names_are_text(browser, tmp_path):
    root, hostile = tmp_path / "s", "</script><b>x"
    ended = atoll("evolve", "brain", "--team", "2", "--task", "sphere", "-g", "3", "-p", "12", "--migration-dir", root)
    assert ended.returncode == 0, ended.stderr
    line = {"kind": "scored", "generation": 3, "episode": 0, "genomes": 5, "by": {hostile: 5}}
    with (root / "islands/brain/team.jsonl").open("a") as file:
        file.write(json.dumps(line) + "\n")
    with opened(browser, write(root, tmp_path / "page.html"), has_champions=False) as page:
        rows = page.locator("#teams-table tbody tr")
        assert rows.count() == 2
        assert "left, owner" in rows.nth(0).inner_text()
        assert hostile in rows.nth(1).inner_text()
        assert "brain: 2 members scored" in page.locator("#teams-words").inner_text()


def test_a_page_without_a_team_says_nothing_of_teams(browser, written):
    with opened(browser, written, has_stage=False) as page:
        assert page.locator("#teams").is_hidden()

"""The page as people meet it: in Chromium, from a file, without a network."""

from __future__ import annotations

import pytest

from tests.scripts.report.pages import PHONE, PICTURES, WIDE, numbers, opened

pytestmark = pytest.mark.slow

SCHEMES = ("light", "dark")


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


def test_the_name_of_a_setting_is_seen_whole(browser, written):
    with opened(browser, written) as page:
        clipped = """() => {
            const head = document.querySelector("#settings-table thead th:last-child");
            head.textContent = "a_setting_with_a_long_name";
            return head.scrollWidth > head.clientWidth;
        }"""
        assert page.evaluate(clipped) is False


def test_the_head_of_a_table_stays_while_its_rows_scroll(browser, written):
    with opened(browser, written) as page:
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

"""A report's page, opened in a real browser from its file. Pictures of it go to build/report/."""

from __future__ import annotations

import io
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from tests.processes import ROOT, atoll, hang_s

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

PICTURES = ROOT / "build" / "report"
WITHOUT_3D = (
    "HTMLCanvasElement.prototype.getContext = (original => function (kind, ...more) {"
    "return kind.startsWith('webgl') ? null : original.call(this, kind, ...more); })"
    "(HTMLCanvasElement.prototype.getContext);"
)
WIDE, PHONE = {"width": 1000, "height": 700}, {"width": 390, "height": 844}


@contextmanager
def opened(
    browser: Browser,
    page_file: Path,
    *,
    size=WIDE,
    scheme="light",
    motion="reduce",
    has_champions=True,
    has_stage=True,
) -> Iterator[Page]:
    """Open a page; at the end nothing may have gone wrong in it, been asked for, or be seen that is hidden.

    Without a stage it opens much faster: there is no 3-D then, which is drawn by the processor here.
    """
    context = browser.new_context(viewport=size, color_scheme=scheme, reduced_motion=motion, has_touch=size is PHONE)
    context.set_default_timeout(1000 * hang_s())
    page = context.new_page()
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    if not has_stage:
        page.add_init_script(WITHOUT_3D)
    page.goto(page_file.as_uri())
    page.wait_for_selector("html[data-ready=yes]")
    if has_champions and has_stage:
        page.wait_for_selector("html[data-cast]")
    yield page
    page.wait_for_timeout(100)
    seen = page.eval_on_selector_all(
        "[hidden]", "all => all.filter((one) => one.getClientRects().length).map(({ id }) => id)"
    )
    context.close()
    assert seen == []
    assert [each for each in said if has_stage or "WebGL" not in each] == []
    assert asked == [page_file.as_uri()]


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

"""A hook of mkdocs: the site has the pages of `docs/`, and those that lie outside of it.

Links are written as a reader of the checkout follows them, from file to file; here they lead from page to page.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING

from mkdocs.structure.files import File

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).absolute().parents[1]
OUTSIDE = {
    "README.md": "index.md",
    "ARCHITECTURE.md": "architecture.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "DECISIONS.md": "decisions/index.md",
    "PARALLEL_EXPERIMENTS.md": "parallel/experiments.md",
    "PARALLEL_RESULTS.md": "parallel/results.md",
    "PARALLEL_STRATEGY.md": "parallel/strategy.md",
    "shared/README.md": "reference/protocol.md",
}
"""Pages that lie outside of `docs/`, by their place in the checkout: their place on the site."""

SOURCES = {place: source for source, place in OUTSIDE.items()}
LINK = re.compile(r"(?<=\]\()(?P<target>[^)#\s:]+)(?=[)#])")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that lie outside of `docs/`."""
    for source, place in OUTSIDE.items():
        files.append(File.generated(config, place, abs_src_path=str(ROOT / source)))
    return files


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Lead the links of a page to where their targets are on the site; mkdocs complains of those that are nowhere."""
    place = page.file.src_uri
    source = SOURCES.get(place, f"docs/{place}")

    def led(found: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(source), found["target"]))
        on_site = OUTSIDE.get(target, target.removeprefix("docs/"))
        return posixpath.relpath(on_site, posixpath.dirname(place) or ".")

    return LINK.sub(led, markdown)

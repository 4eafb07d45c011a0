"""One HTML file that holds everything it shows, and that its own policy forbids to fetch or to run anything else.

What comes from files stands in a block of JSON in which no `<`, `>` or `&` is left, and reaches the page as text. Only
the two blocks of code whose hashes the policy names may run: the libraries, and the page's own program.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

HERE = Path(__file__).parent
LIBRARIES = ("vendor/three.min.js", "vendor/uplot.min.js")
STYLES = ("vendor/uplot.min.css", "web/style.css")
PROGRAM = ("base", "film", "stage", "creatures", "curves", "migration", "ancestry", "tables", "timeline", "main")
PLACE = re.compile(r"\{\{([a-z_]+)\}\}")


def build(document: Mapping[str, object]) -> str:
    """Return the page that shows a document."""
    libraries = "\n".join(_read(name) for name in LIBRARIES)
    program = "\n".join(_read(f"web/{name}.js") for name in PROGRAM)
    style = "\n".join(_read(name) for name in STYLES)
    parts = {
        "policy": _policy(scripts=(libraries, program), style=style),
        "style": style,
        "document": embed(document),
        "libraries": libraries,
        "program": program,
    }
    return PLACE.sub(lambda place: parts[place[1]], _read("web/index.html"))


def embed(document: Mapping[str, object]) -> str:
    """Return JSON that nothing in it can end early, or turn into markup."""
    text = json.dumps(document, separators=(",", ":"), allow_nan=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _policy(*, scripts: tuple[str, ...], style: str) -> str:
    allowed = " ".join(map(_source, scripts))
    return (
        f"default-src 'none'; script-src {allowed}; style-src {_source(style)}; img-src data:; base-uri 'none'; "
        f"form-action 'none'"
    )


def _source(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _read(name: str) -> str:
    text = (HERE / name).read_text(encoding="utf-8")
    if "</script" in text and name.endswith(".js"):
        raise ValueError(f"{name} would end its own block")
    return text

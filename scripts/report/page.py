"""Page of an archipelago (`report`): its files are read, its champions simulated again, and one HTML file is written.

The file holds everything it shows, and its own policy forbids it to fetch or to run anything else.
What comes from files stands in a block of JSON in which no `<`, `>` or `&` is left, and reaches the page as text. Only
the two blocks of code whose hashes the policy names may run: the libraries, and the page's own program.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from atoll.evo import atomic
from atoll.evo.errors import ConfigError
from atoll.migration.observe import status
from atoll.migration.observe.history import read_histories
from atoll.migration.pool import identity as pool
from atoll.scripts.report import walks
from atoll.scripts.report.document import document
from atoll.scripts.report.output import check_output

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atoll.evo.paths import SharedPaths

HERE = Path(__file__).parent
LIBRARIES = ("vendor/three.min.js", "vendor/uplot.min.js")
STYLES = ("vendor/uplot.min.css", "web/style.css")
PROGRAM = ("base", "film", "stage", "creatures", "curves", "migration", "ancestry", "tables", "timeline", "main")
PLACE = re.compile(r"\{\{([a-z_]+)\}\}")


def write_report(shared: SharedPaths, out: Path) -> dict[str, Any]:
    """Write the page of an archipelago; return what it shows, and what could not be read or shown.

    Raises:
        ConfigError: There are no islands.
        StorageError: The directory cannot be read, or the page not be written.
    """
    check_output(out)
    pool.check_directory(shared)
    rows = {row.name: row for row in status.read_all(shared)}
    histories = read_histories(shared, [row.name for row in rows.values() if not row.unreadable])
    left_out = [f"{row.name} may not be read: {row.unreadable}" for row in rows.values() if row.unreadable]
    if not histories:
        raise ConfigError(
            f"no islands in {shared.root}, so there is nothing to report; name the directory that --migration-dir named"
            if not left_out
            else f"no island in {shared.root} may be read: {left_out[0]}"
        )
    champions, unread = walks.read_champions(shared, [history.island for history in histories])
    walkers, unfilmed = walks.film(shared, champions)
    made = time.strftime("%Y-%m-%d %H:%M:%S")
    shown = document(
        histories,
        rows,
        champions,
        walkers,
        title=shared.root.resolve().name or str(shared.root),
        made=made,
        notes=[*left_out, *unread, *unfilmed],
    )
    data = build(shown).encode()
    with atomic.storage_errors("write the report"):
        atomic.replace_file(out, data, durable=False)
    told = {"page": str(out), "bytes": len(data), "islands": len(histories), "walkers": len(walkers)}
    return {**told, "notes": shown["notes"]}


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

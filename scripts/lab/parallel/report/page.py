"""The whole report: blocks of text by name, plots, and a document whose blocks are filled."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING

from atoll.evo import atomic
from atoll.evo.errors import ConfigError
from atoll.scripts.lab.kit import markdown
from atoll.scripts.lab.parallel.report import criteria, load, study, tables

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from atoll.scripts.lab.parallel.report.study import Session

PAGE = "report.md"
PLOTS = "plots"


def blocks(sessions: Sequence[Session]) -> dict[str, str]:
    """Return every block of text by its name; empty where no row says anything."""
    note = tables.fewest_blocks_note(sessions)
    starred = {
        "verdicts": tables.verdicts(sessions),
        "noise": tables.noise_floor(sessions),
        "factors": tables.factors(sessions),
        "pools": tables.pools(sessions),
    }
    return {
        "provenance": tables.provenance(sessions),
        **{name: f"{text}\n\n{note}" if note and "*" in text else text for name, text in starred.items()},
        "resources": tables.resources(sessions),
        "results": tables.hashes(sessions),
        "faults": tables.faults(sessions),
        **criteria.blocks(sessions),
    }


def report(folder: Path, *, document: Path | None = None, more: Mapping[str, str] | None = None) -> str:
    """Derive everything from the rows in `folder`; write `report.md` and `plots/` there and return the text.

    Args:
        folder: Holds the rows.
        document: Whose generated blocks are filled; all else in it stays as it is.
        more: Blocks of others, by name, that go into the same page and document.

    Raises:
        ConfigError: There are no rows.
        DamagedFileError: A row or the document's marks are damaged.
        StorageError: The file system refused.
    """
    sessions = study.sessions(load.read(folder))
    if not sessions:
        raise ConfigError(f"{folder} holds no rows of runs (*.jsonl, *.jsonl.gz); give the folder that 'run' wrote to")
    found = {**blocks(sessions), **(more or {})}
    with atomic.storage_errors("write the report"):
        files = draw(sessions, folder / PLOTS)
        found["plots"] = markdown.pictures(files, beside=folder / PAGE)
        text = "\n\n".join(f"## {name}\n\n{block}" for name, block in found.items() if block) + "\n"
        atomic.replace_file(folder / PAGE, text.encode(), durable=False)
        if document is not None:
            markdown.refresh(document, {**found, "plots": markdown.pictures(files, beside=document)})
    return text


def draw(sessions: Sequence[Session], folder: Path) -> list[Path]:
    """Draw all plots, those of each session into a folder of its own if there are several."""
    from atoll.scripts.lab.parallel.report import plots  # noqa: PLC0415 - matplotlib takes a second to import

    places = [folder] if len(sessions) == 1 else [folder / re.sub(r"[^\w.-]+", "-", each.name) for each in sessions]
    for place in places:
        atomic.make_directory(place)
    drawn = (plots.draw(session, place) for session, place in zip(sessions, places, strict=True))
    return list(itertools.chain.from_iterable(drawn))

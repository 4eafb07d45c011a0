"""The report of a comparison from its rows: blocks of tables by name, plots, and a file for each block."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING

from evo import atomic
from evo.errors import ConfigError
from scripts.compare.report import criteria, load, markdown, study, tables

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from scripts.compare.report.study import Session

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


def report(folder: Path, *, tables_folder: Path | None = None, more: Mapping[str, str] | None = None) -> str:
    """Derive everything from the rows in `folder`; write `report.md` and `plots/` there and return the text.

    Args:
        folder: Holds the rows.
        tables_folder: Where each block gets a file of its own.
        more: Blocks of others, by name, that go into the same page and folder.

    Raises:
        ConfigError: There are no rows.
        DamagedFileError: A row is damaged.
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
        if tables_folder is not None:
            links = markdown.pictures(files, beside=tables_folder / "plots.md")
            markdown.write_tables(tables_folder, {**found, "plots": links})
    return text


def draw(sessions: Sequence[Session], folder: Path) -> list[Path]:
    """Draw all plots, those of each session into a folder of its own if there are several."""
    from scripts.compare.report import plots  # noqa: PLC0415 - matplotlib takes a second to import

    places = [folder] if len(sessions) == 1 else [folder / re.sub(r"[^\w.-]+", "-", each.name) for each in sessions]
    for place in places:
        atomic.make_directory(place)
    drawn = (plots.draw(session, place) for session, place in zip(sessions, places, strict=True))
    return list(itertools.chain.from_iterable(drawn))

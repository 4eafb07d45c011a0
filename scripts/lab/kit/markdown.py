"""Markdown tables that can be read as they are, and files that hold one block of them each."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from atoll.evo import atomic

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

NOTE = "<!-- Generated from rows: changes by hand are lost. -->"
NOT_YET = "*Not yet measured.*"


@dataclass(frozen=True)
class Grid:
    """Lines of cells under headings, with a title above and a remark below; no lines, no table."""

    title: str
    headings: Sequence[str]
    lines: Sequence[Sequence[object]]
    remark: str = ""

    def markdown(self) -> str:
        """Return it as text."""
        rows = [[str(cell) for cell in line] for line in self.lines]
        return under(self.title, table(self.headings, rows), self.remark) if rows else ""


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table; nothing if it has no rows."""
    if not rows:
        return ""
    lines = [tuple(headings), *(tuple(cell.replace("|", "\\|").replace("\n", " ") for cell in row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    texts = ["| " + " | ".join(map(str.ljust, line, widths)) + " |" for line in lines]
    rule = "| " + " | ".join("-" * width for width in widths) + " |"
    return "\n".join([texts[0], rule, *texts[1:]])


def under(title: str, *parts: str) -> str:
    """Return parts under a bold title; nothing if they are all empty."""
    there = [part for part in parts if part]
    return "\n\n".join([f"**{title}**", *there]) if there else ""


def write_tables(folder: Path, blocks: Mapping[str, str]) -> None:
    """Write each block of tables into a file of its own; files of other names stay as they are.

    A file is replaced in one step, and only if its text changed. A block whose text is empty says so, since what an
    earlier call wrote is not what rows show any more.
    """
    atomic.make_directory(folder)
    for name, block in blocks.items():
        file = folder / f"{name}.md"
        text = f"# {name.replace('-', ' ').capitalize()}\n\n{NOTE}\n\n{block.strip(chr(10)) or NOT_YET}\n"
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            atomic.replace_file(file, text.encode(), durable=False)


def pictures(files: Iterable[Path], *, beside: Path) -> str:
    """Return links to pictures, as seen from a document, by the names of their files."""
    names = [(file, f"{file.parent.name}: {file.stem}".replace("-", " ")) for file in files]
    return "\n\n".join(picture(file, words=words, beside=beside) for file, words in names)


def picture(file: Path, *, words: str, beside: Path) -> str:
    """Return a link to a picture, as seen from a document, with the words for who cannot see it."""
    return f"![{words}]({os.path.relpath(file, beside.parent)})"


def number(value: float | None) -> str:
    """Return a number with three digits that count, or a dash."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:#.3g}".rstrip(".")


def whole(value: float) -> str:
    """Return a number that is most often a whole one."""
    return f"{value:,.0f}" if value == round(value) else number(value)


def counts(found: Mapping[str, int]) -> str:
    """Return how often each, the most frequent first; without the number if it is one alone."""
    ordered = sorted(found.items(), key=lambda item: -item[1])
    if len(ordered) == 1:
        return ordered[0][0]
    return ", ".join(f"{n} {name}" for name, n in ordered)

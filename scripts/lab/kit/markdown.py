"""Markdown: tables that can be read as they are, and documents in which only marked blocks are generated."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from atoll.evo import atomic
from atoll.evo.errors import DamagedFileError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

BLOCK = re.compile(r"<!-- generated: (?P<name>[\w-]+) -->\n(?P<body>.*?)<!-- end: (?P<end>[\w-]+) -->", re.DOTALL)
MARK = re.compile(r"<!-- (?:generated|end): [\w-]+ -->")
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


def block_names(document: str) -> list[str]:
    """Return the names of a document's generated blocks in order.

    Raises:
        DamagedFileError: A block is not closed, or closed by another name, or stands twice.
    """
    found = list(BLOCK.finditer(document))
    names = [each["name"] for each in found]
    if len(MARK.findall(document)) != 2 * len(found) or any(each["name"] != each["end"] for each in found):
        raise DamagedFileError(
            "the marks of generated blocks do not match: expected '<!-- generated: NAME -->' and, after it, "
            f"'<!-- end: NAME -->' for each; found whole ones for {', '.join(names) or 'none'}"
        )
    if len(set(names)) != len(names):
        raise DamagedFileError(f"a generated block stands twice: {', '.join(names)}")
    return names


def fill(document: str, blocks: Mapping[str, str]) -> str:
    """Put new text between the marks of a document; all else stays as it is, byte for byte.

    A block whose new text is empty says so, since what an earlier call wrote is not what rows show any more.

    Args:
        document: With marks.
        blocks: Text by the name of its block; those that the document has no marks for are left out, and blocks of
            other names stay as they are.

    Raises:
        DamagedFileError: See `block_names`.
    """
    block_names(document)

    def filled(found: re.Match[str]) -> str:
        name = found["name"]
        if name not in blocks:
            return found[0]
        body = blocks[name].strip("\n") or NOT_YET
        return f"<!-- generated: {name} -->\n\n{body}\n\n<!-- end: {name} -->"

    return BLOCK.sub(filled, document)


def refresh(document: Path, blocks: Mapping[str, str]) -> None:
    """Fill those blocks of a document that are named; it is replaced in one step, and only if something changed.

    Raises:
        DamagedFileError: See `block_names`.
        OSError: The file system refused.
    """
    old = document.read_text(encoding="utf-8")
    try:
        new = fill(old, blocks)
    except DamagedFileError as error:
        raise DamagedFileError(f"{document}: {error}") from error
    if new != old:
        atomic.replace_file(document, new.encode(), durable=False)


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

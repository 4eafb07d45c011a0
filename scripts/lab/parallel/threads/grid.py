"""A table of texts as Markdown that is readable as it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Grid:
    """Lines of cells under headings, with a remark below; no lines, no table."""

    title: str
    headings: Sequence[str]
    lines: Sequence[Sequence[object]]
    remark: str = ""

    def markdown(self) -> str:
        """Return it as text."""
        if not self.lines:
            return ""
        cells = [[str(cell) for cell in line] for line in (self.headings, *self.lines)]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        texts = ["| " + " | ".join(map(str.ljust, line, widths)) + " |" for line in cells]
        rule = "| " + " | ".join("-" * width for width in widths) + " |"
        return "\n".join(
            [f"**{self.title}**", "", texts[0], rule, *texts[1:], *(["", self.remark] if self.remark else [])]
        )

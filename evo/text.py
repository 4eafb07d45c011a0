"""Words for messages: a number of things, the nearest known word, and what a terminal can show."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def count(n: int, noun: str) -> str:
    """Return a number of things in words."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}{'es' if noun.endswith('s') else 's'}"


def suggest(word: str, known: Iterable[str]) -> str:
    """Return ', did you mean ...?' if a known word is close, else nothing."""
    import difflib  # noqa: PLC0415 - only a mistake needs it

    close = difflib.get_close_matches(word, list(known), n=1)
    return f", did you mean {close[0]!r}?" if close else ""


def printable(text: str) -> str:
    """Return a text that may quote a stranger as a terminal can show it."""
    return "".join(character if character.isprintable() else "?" for character in text)

"""Reading `-o name=value`: each value as the type of its default."""

from __future__ import annotations

import contextlib
import math
from typing import TYPE_CHECKING

from atoll.evo.config import suggest
from atoll.evo.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atoll.evo.tasks.task import OptionValue

USER_FILE = "path/to/file.py:NAME"
MAX_WHOLE = 2**53
MAX_WORD = 1000


def parse_options(
    task: str, options: Mapping[str, str], defaults: Mapping[str, OptionValue], *, also: str = ""
) -> dict[str, OptionValue]:
    """Read `-o name=value` pairs, each as the type of its default.

    Args:
        task: What `--task` says.
        options: The pairs.
        defaults: Every option with its default.
        also: What can be given beside them, in words.

    Raises:
        ConfigError: A name is unknown, or a value is not of the option's type.
    """
    for name in options:
        if name not in defaults:
            known = f"known are {', '.join(filter(None, [*defaults, also]))}" if defaults else "it has none"
            raise ConfigError(f"task {task} has no option {name!r}{suggest(name, defaults)}; {known}")
    return {name: _parse(name, text, type(defaults[name])) for name, text in options.items()}


def parse_arguments(options: Mapping[str, str], prefix: str) -> dict[str, OptionValue]:
    """Read the pairs whose name begins with `prefix`: arguments without a known type, so each as what it looks like.

    Returns:
        Their values by the name after the prefix: a truth, a whole number, a number, or else a word.

    Raises:
        ConfigError: A name cannot be that of an argument, or a value cannot be kept.
    """
    given = {name.removeprefix(prefix): text for name, text in options.items() if name.startswith(prefix)}
    for name in given:
        if not name.isidentifier():
            raise ConfigError(f"-o {prefix}{name}: an argument's name is letters, digits and _, got {name!r}")
    return {name: _guess(f"{prefix}{name}", text) for name, text in given.items()}


def _guess(name: str, text: str) -> OptionValue:
    if text.lower() in {"true", "false"}:
        return text.lower() == "true"
    value: OptionValue = text
    for kind in (float, int):
        with contextlib.suppress(ValueError):
            value = kind(text)
    check_value(name, value)
    return value


def _parse(name: str, text: str, kind: type) -> OptionValue:
    if kind is bool:
        if text.lower() in {"true", "false"}:
            return text.lower() == "true"
        raise ConfigError(f"-o {name} must be true or false, got {text!r}")
    try:
        value: OptionValue = kind(text)
    except ValueError:
        raise ConfigError(f"-o {name} must be of type {kind.__name__}, got {text!r}") from None
    check_value(name, value)
    return value


def check_value(name: str, value: OptionValue) -> None:
    """Make sure that an option's value can be written to the files of an island and read back.

    Raises:
        ConfigError: It cannot.
    """
    if isinstance(value, str):
        is_plain = value.isprintable() and len(value) <= MAX_WORD
        allowed = f"at most {MAX_WORD} printable characters"
    else:
        is_plain = math.isfinite(value) and (isinstance(value, float) or abs(value) <= MAX_WHOLE)
        allowed = "a finite number, and within 2^53 of 0 if whole"
    if not is_plain:
        raise ConfigError(f"-o {name} must be {allowed}, got {str(value)[:MAX_WORD]!r}")

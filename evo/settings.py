"""Settings as fields of frozen dataclasses: how one is declared, what it may be, and how a user writes its name."""

from __future__ import annotations

import dataclasses
import typing
from typing import TYPE_CHECKING, Any

from atoll.evo.errors import ConfigError, suggest

if TYPE_CHECKING:
    from collections.abc import Callable

Value = int | float | str


def setting(
    default: Value,
    help: str,  # noqa: A002 - Click's word for it
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
    word: str = "",
    is_open: bool = False,
    former: Value | None = None,
    changed_from: Value | None = None,
) -> Any:  # noqa: ANN401 - dataclasses.field has no type of its own
    """Declare a setting: its default, what it means (with its unit) and what it may be.

    `word` may stand in the place of a number, which then depends on the task. One that `is_open` is 0 until it is known
    what suits the algorithm (`atoll.evo.algorithms.choice.settled`); nobody can give 0.

    `former` is what islands did before they could be told otherwise. It is not recorded, so that they write the bytes
    of then, and it is what an older checkpoint means that does not have the setting. `changed_from` is an earlier
    default: an island that was started with it goes on with it.

    Every number has a lowest and a highest value: an endless one would make genes of nothing, and a whole one beyond
    2^53 could be written to a checkpoint but not read back.
    """
    metadata = {"help": help, "low": low, "high": high, "choices": choices, "word": word, "is_open": is_open}
    return dataclasses.field(default=default, metadata={**metadata, "former": former, "changed_from": changed_from})


def former(field: dataclasses.Field[Any]) -> Value:
    """Return the value of a setting that is not recorded."""
    earlier: tuple[Value | None, ...] = (field.metadata["former"], field.metadata["changed_from"])
    return next((value for value in earlier if value is not None), typing.cast("Value", field.default))


def recorded(settings: Any) -> dict[str, Value]:  # noqa: ANN401 - any dataclass of settings
    """Return the settings of one dataclass as files record them: without what is as it was before it could be told."""
    values = ((field, getattr(settings, field.name)) for field in setting_fields(type(settings)))
    return {field.name: value for field, value in values if value != field.metadata["former"]}


def default_text(field: dataclasses.Field[Any]) -> str:
    """Return the default of a setting as help and documents show it; empty where what it means says it."""
    return "" if field.metadata["is_open"] else str(field.default)


def value_type(field: dataclasses.Field[Any]) -> type:
    """Return the type of a setting; where a word may stand in the place of a number, the number's."""
    return float if field.metadata["word"] else type(field.default)


def flag_name(field: str) -> str:
    """Spell a setting as a flag."""
    return "--" + field.replace("_", "-")


def option_name(field: str) -> str:
    """Spell an option of a task as the command line does."""
    return f"-o {field}"


def spelled(value: object) -> str:
    """Spell a value as the command line takes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def setting_fields(kind: type) -> tuple[dataclasses.Field[Any], ...]:
    """Return the named settings of one dataclass."""
    return tuple(field for field in dataclasses.fields(kind) if "help" in field.metadata)


def check(settings: Any, *, spell: Callable[[str], str] = flag_name) -> None:  # noqa: ANN401 - any dataclass of settings
    """Raise ConfigError if a field breaks its declaration; `spell` says how the user writes its name."""
    for field in setting_fields(type(settings)):
        _check_field(field, getattr(settings, field.name), spell(field.name))


def _check_field(field: dataclasses.Field[Any], value: object, flag: str) -> None:
    expected, word = value_type(field), field.metadata["word"]
    allowed = (int, float) if expected is float else (expected,)
    if (word and value == word) or (field.metadata["is_open"] and value == 0):
        return
    if not isinstance(value, allowed) or isinstance(value, bool) != (expected is bool):
        kind = {int: "a whole number", float: "a number", bool: "true or false"}.get(expected, "a word")
        raise ConfigError(f"{flag} must be {kind}{f' or {word}' if word else ''}, got {value!r}")
    low, high, choices = field.metadata["low"], field.metadata["high"], field.metadata["choices"]
    if isinstance(value, int | float):
        if low is not None and not value >= low:
            raise ConfigError(f"{flag} must be at least {low}, got {value}")
        if high is not None and not value <= high:
            raise ConfigError(f"{flag} must be at most {high}, got {value}")
    if choices and value not in choices:
        raise ConfigError(f"{flag} must be one of {', '.join(choices)}; got {value!r}{suggest(str(value), choices)}")

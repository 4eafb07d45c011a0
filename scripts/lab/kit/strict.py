"""Frozen dataclasses as JSON objects: every field, nothing else, each of its own type."""

from __future__ import annotations

import types
import typing
from dataclasses import asdict, fields, is_dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from atoll.evo.errors import DamagedFileError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")


def to_json(value: DataclassInstance) -> dict[str, Any]:
    """Return the fields of a dataclass as a JSON object."""
    return asdict(value)


def from_json(kind: type[T], value: object) -> T:
    """Read what `to_json` wrote.

    Raises:
        DamagedFileError: A field is missing, unknown, or of another type.
    """
    if not isinstance(value, dict):
        raise DamagedFileError(f"{kind.__name__}: expected an object, got {type(value).__name__}")
    names = {field.name for field in fields(kind)}
    if names != value.keys():
        raise DamagedFileError(
            f"{kind.__name__}: missing fields {sorted(names - value.keys())}, unknown {sorted(value.keys() - names)}"
        )
    hints = typing.get_type_hints(kind)
    return kind(**{name: _read(hints[name], value[name], f"{kind.__name__}.{name}") for name in names})


def _read(hint: Any, value: Any, where: str) -> Any:  # noqa: ANN401 - a type as `get_type_hints` gives it
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in {types.UnionType, typing.Union}:
        known = next(each for each in arguments if each is not type(None))
        return None if value is None else _read(known, value, where)
    if origin is tuple:
        _check(isinstance(value, list | tuple), "a list", value, where)
        return tuple(_read(arguments[0], each, where) for each in value)
    if isinstance(hint, type) and is_dataclass(hint):
        return from_json(hint, value)
    if hint is float and type(value) is int:
        return float(value)
    kind = origin or hint
    _check(type(value) is kind, kind.__name__, value, where)
    return value


def _check(is_right: bool, expected: str, value: object, where: str) -> None:  # noqa: FBT001 - one line's condition
    if not is_right:
        raise DamagedFileError(f"{where}: expected {expected}, got {value!r}")

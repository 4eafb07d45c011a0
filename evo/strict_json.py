"""JSON as files of the archipelago use it: canonical when written, strict and bounded when read."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

from atoll.evo.errors import DamagedFileError

MAX_DEPTH = 8
MAX_INTEGER = 2**53
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)


def encode(value: object) -> bytes:
    """Write canonical JSON: sorted keys, no spaces, no NaN or Infinity."""
    return _CANONICAL.encode(value).encode()


def parse(data: bytes, *, max_depth: int = MAX_DEPTH) -> Any:  # noqa: ANN401 - callers check its shape
    """Read JSON that a stranger may have written.

    Raises:
        DamagedFileError: Not JSON in UTF-8, a duplicate key, NaN or Infinity, an integer beyond 2^53, half a surrogate
            pair (text that could not be shown or written again), or nested too deeply.
    """
    try:
        value = json.loads(
            data.decode(),
            object_pairs_hook=_unique_keys,
            parse_constant=_refuse_constant,
            parse_int=_bounded_integer,
            parse_float=_finite_number,
        )
        if b"\\u" in data:
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise DamagedFileError(f"not valid JSON: {error}", byte=_place(error)) from error
    if _is_deeper(value, max_depth):
        raise DamagedFileError(f"JSON nested more than {max_depth} deep")
    return value


def _place(error: Exception) -> int | None:
    if isinstance(error, json.JSONDecodeError):
        return len(error.doc[: error.pos].encode())
    return error.start if isinstance(error, UnicodeDecodeError) else None


def _unique_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a key stands twice")
    return result


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")


def _bounded_integer(digits: str) -> int:
    if len(digits) > 17 or abs(int(digits)) > MAX_INTEGER:
        raise ValueError("an integer beyond 2^53")
    return int(digits)


def _finite_number(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"{digits[:24]} is beyond the range of a number")
    return number


def _is_deeper(value: object, limit: int) -> bool:
    """Say whether lists and objects are nested more than `limit` deep, looking no further down than that."""
    level = [value]
    for _ in range(limit + 1):
        inner = [each for each in level if isinstance(each, dict | list)]
        if not inner:
            return False
        level = [child for each in inner for child in (each.values() if isinstance(each, dict) else each)]
    return True

"""Arrays and their metadata in one safetensors file: no code, no pickle, checked before memory is spent."""

from __future__ import annotations

import hashlib
import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import DTypeLike, NDArray

from atoll.evo import strict_json
from atoll.evo.errors import DamagedFileError

if TYPE_CHECKING:
    from collections.abc import Mapping

Arrays = dict[str, NDArray[Any]]

METADATA_KEY = "atoll"
LENGTH_BYTES = 8
ALIGNMENT_BYTES = 8
"""What a header is filled up to with spaces."""
MAX_HEADER_BYTES = 1 << 20
MAX_HEADER_DEPTH = 4
MAX_ARRAYS = 256
MAX_RANK = 4
DTYPES = {"I64": np.int64, "F64": np.float64, "F32": np.float32, "U16": np.uint16}
"""In the order in which safetensors lays them down."""


def encode(arrays: Mapping[str, NDArray[Any]], metadata: Mapping[str, object]) -> bytes:
    """Write arrays and JSON metadata; equal input gives equal bytes.

    The metadata gets a `sha256` of itself and of the arrays, since safetensors has no checksum of its own.
    """
    digest = _digest(arrays, metadata)
    text = strict_json.encode({**metadata, "sha256": digest}).decode()
    return safetensors.numpy.save({name: np.asarray(a, order="C") for name, a in arrays.items()}, {METADATA_KEY: text})


def encoded_size(arrays: Mapping[str, tuple[tuple[int, ...], DTypeLike]], metadata: Mapping[str, object]) -> int:
    """Return how many bytes `encode` writes for arrays of these shapes and types, without making them."""
    text = strict_json.encode({**metadata, "sha256": "0" * hashlib.sha256().digest_size * 2}).decode()
    header: dict[str, object] = {"__metadata__": {METADATA_KEY: text}}
    place = 0
    spelled = {np.dtype(dtype): spelling for spelling, dtype in DTYPES.items()}
    order = list(spelled)
    for name, (shape, dtype) in sorted(arrays.items(), key=lambda item: (order.index(np.dtype(item[1][1])), item[0])):
        first, place = place, place + math.prod(shape) * np.dtype(dtype).itemsize
        header[name] = {"dtype": spelled[np.dtype(dtype)], "shape": list(shape), "data_offsets": [first, place]}
    length = len(json.dumps(header, separators=(",", ":")))
    return LENGTH_BYTES + length + -length % ALIGNMENT_BYTES + place


def decode(data: bytes, *, max_header_bytes: int = MAX_HEADER_BYTES) -> tuple[Arrays, dict[str, Any]]:
    """Read what `encode` wrote; DamagedFileError if it is anything else, cut short, changed or too large."""
    header, start = _header(data, max_header_bytes=max_header_bytes)
    metadata = _metadata(header)
    _check_arrays(header)
    _check_extent(header, start=start, end=len(data))
    try:
        tensors = safetensors.deserialize(data)  # type: ignore[no-untyped-call]
    except safetensors.SafetensorError as error:
        raise DamagedFileError(f"not a safetensors file: {error}") from error
    arrays = {
        name: np.frombuffer(tensor["data"], dtype=DTYPES[tensor["dtype"]]).reshape(tensor["shape"])
        for name, tensor in tensors
    }
    expected = metadata.pop("sha256", None)
    if _digest(arrays, metadata) != expected:
        raise DamagedFileError("the contents do not match their checksum")
    return arrays, metadata


def _header(data: bytes, *, max_header_bytes: int) -> tuple[dict[str, Any], int]:
    """Return the header and where it ends."""
    length = int.from_bytes(data[:LENGTH_BYTES], "little")
    start = LENGTH_BYTES + length
    if length > max_header_bytes:
        raise DamagedFileError(f"a header of {length} bytes, at most {max_header_bytes} allowed", byte=0)
    if len(data) < max(LENGTH_BYTES, start):
        raise DamagedFileError(f"cut short: {len(data)} bytes", byte=len(data))
    try:
        header = strict_json.parse(data[LENGTH_BYTES:start], max_depth=MAX_HEADER_DEPTH)
    except DamagedFileError as error:
        raise DamagedFileError(str(error), byte=LENGTH_BYTES + (error.byte or 0)) from error
    if not isinstance(header, dict):
        raise DamagedFileError("the header is not an object", byte=LENGTH_BYTES)
    return header, start


def _metadata(header: dict[str, Any]) -> dict[str, Any]:
    outer = header.pop("__metadata__", None)
    text = outer.get(METADATA_KEY) if isinstance(outer, dict) else None
    if not isinstance(text, str):
        raise DamagedFileError("no Atoll metadata")
    metadata = strict_json.parse(text.encode())
    if not isinstance(metadata, dict):
        raise DamagedFileError("the metadata is not an object")
    return metadata


def _check_arrays(header: dict[str, Any]) -> None:
    if len(header) > MAX_ARRAYS:
        raise DamagedFileError(f"{len(header)} arrays, at most {MAX_ARRAYS} allowed")
    for name, entry in header.items():
        if not isinstance(entry, dict) or not _is_shape(entry.get("shape")):
            raise DamagedFileError(f"array {name!r} has no usable shape")
        dtype = entry.get("dtype")
        if not isinstance(dtype, str) or dtype not in DTYPES:
            raise DamagedFileError(f"array {name!r} has type {dtype!r}, allowed are {', '.join(DTYPES)}")
        if not _are_whole(entry.get("data_offsets"), n=2):
            raise DamagedFileError(f"array {name!r} has no usable place")


def _check_extent(header: dict[str, Any], *, start: int, end: int) -> None:
    """Make sure that the arrays follow each other without overlap or gap, and that the file ends where they do."""
    place = start
    for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        first, last = (start + offset for offset in entry["data_offsets"])
        n_bytes = math.prod(entry["shape"]) * np.dtype(DTYPES[entry["dtype"]]).itemsize
        if (first, last) != (place, place + n_bytes):
            raise DamagedFileError(f"array {name!r} lies at {first} to {last}, expected {place} to {place + n_bytes}")
        place = last
    if place != end:
        raise DamagedFileError(f"{end} bytes, the header says {place}", byte=min(place, end))


def _is_shape(shape: object) -> bool:
    if not isinstance(shape, list) or len(shape) > MAX_RANK or not _are_whole(shape, n=len(shape)):
        return False
    size: int = math.prod(max(n, 1) for n in shape)  # an empty array's other sides count too
    return size <= strict_json.MAX_INTEGER


def _are_whole(numbers: object, *, n: int) -> bool:
    return isinstance(numbers, list) and len(numbers) == n and all(type(i) is int and i >= 0 for i in numbers)


def _digest(arrays: Mapping[str, NDArray[Any]], metadata: Mapping[str, object]) -> str:
    digest = hashlib.sha256(strict_json.encode(dict(metadata)))
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(strict_json.encode([name, array.dtype.str, list(array.shape)]))
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()

"""Arrays and their metadata in one safetensors file: no code, no pickle, checked before memory is spent."""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from evo import strict_json
from evo.errors import DamagedFileError

if TYPE_CHECKING:
    from collections.abc import Mapping

Arrays = dict[str, NDArray[Any]]

METADATA_KEY = "atoll"
MAX_HEADER_BYTES = 1 << 20
MAX_RANK = 4
DTYPES = {"F32": np.float32, "F64": np.float64, "U16": np.uint16, "I64": np.int64}


def encode(arrays: Mapping[str, NDArray[Any]], metadata: Mapping[str, object]) -> bytes:
    """Write arrays and JSON metadata; equal input gives equal bytes.

    The metadata gets a `sha256` of itself and of the arrays, since safetensors has no checksum of its own.
    """
    digest = _digest(arrays, metadata)
    text = strict_json.encode({**metadata, "sha256": digest}).decode()
    return safetensors.numpy.save({name: np.asarray(a, order="C") for name, a in arrays.items()}, {METADATA_KEY: text})


def decode(data: bytes, *, max_header_bytes: int = MAX_HEADER_BYTES) -> tuple[Arrays, dict[str, Any]]:
    """Read what `encode` wrote.

    Raises:
        DamagedFileError: The bytes are anything else, cut short, changed, or larger than they may be.
    """
    header = _header(data, max_header_bytes=max_header_bytes)
    metadata = _metadata(header)
    _check_tensors(header)
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


def _header(data: bytes, *, max_header_bytes: int) -> dict[str, Any]:
    length = int.from_bytes(data[:8], "little")
    if len(data) < 8 or length > len(data) - 8:
        raise DamagedFileError(f"cut short: {len(data)} bytes")
    if length > max_header_bytes:
        raise DamagedFileError(f"a header of {length} bytes, at most {max_header_bytes} allowed")
    header = strict_json.parse(data[8 : 8 + length])
    if not isinstance(header, dict):
        raise DamagedFileError("the header is not an object")
    return header


def _metadata(header: dict[str, Any]) -> dict[str, Any]:
    outer = header.pop("__metadata__", None)
    text = outer.get(METADATA_KEY) if isinstance(outer, dict) else None
    if not isinstance(text, str):
        raise DamagedFileError("no Atoll metadata")
    metadata = strict_json.parse(text.encode())
    if not isinstance(metadata, dict):
        raise DamagedFileError("the metadata is not an object")
    return metadata


def _check_tensors(header: dict[str, Any]) -> None:
    for name, entry in header.items():
        if not isinstance(entry, dict) or not _is_shape(entry.get("shape")):
            raise DamagedFileError(f"array {name!r} has no usable shape")
        dtype = entry.get("dtype")
        if not isinstance(dtype, str) or dtype not in DTYPES:
            raise DamagedFileError(f"array {name!r} has type {dtype!r}, allowed are {', '.join(DTYPES)}")


def _is_shape(shape: object) -> bool:
    if not isinstance(shape, list) or len(shape) > MAX_RANK:
        return False
    if not all(isinstance(n, int) and n >= 0 for n in shape):
        return False
    size: int = math.prod(max(n, 1) for n in shape)  # an empty array's other sides count too
    return size <= strict_json.MAX_INTEGER


def _digest(arrays: Mapping[str, NDArray[Any]], metadata: Mapping[str, object]) -> str:
    digest = hashlib.sha256(strict_json.encode(dict(metadata)))
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(strict_json.encode([name, array.dtype.str, list(array.shape)]))
        digest.update(array.tobytes())
    return digest.hexdigest()

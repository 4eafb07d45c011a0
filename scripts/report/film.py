"""A recorded life as the page keeps it: places as whole numbers of a quantum, as differences, deflated, in base64.

What the page draws is frame for frame what the evaluator lived through, rounded to the nearest quantum, so it is off by
half a quantum at most. The quantum is a millimetre, or a 32,767th of the farthest that a node ever was from the origin
on any axis, where that is more.
"""

from __future__ import annotations

import base64
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atoll.evo.genome import Floats
    from atoll.evo.tasks.creatures.recording import Recording

FRAMES_PER_S = 30
MAX_FRAMES = 1800
SMALLEST_QUANTUM_M = 1e-3
LARGEST = 32767


def pack(recording: Recording) -> dict[str, Any]:
    """Return a life for the page: `FRAMES_PER_S` of its steps, or as many as `MAX_FRAMES` allow."""
    stride = stride_of(recording)
    position_m = _until_it_blows_up(recording.position_m[stride - 1 :: stride])
    reach_m = float(np.abs(position_m).max(initial=0.0))
    quantum_m = max(reach_m / LARGEST, SMALLEST_QUANTUM_M)
    whole = np.rint(position_m / quantum_m).clip(-LARGEST, LARGEST).astype(np.int16)
    taken = int(recording.collected[-1])
    return {
        "frame_s": recording.frame_s * stride,
        "quantum_m": quantum_m,
        "n_frames": len(whole),
        "radius_m": _short(recording.radius_m),
        "mass_share": _short(recording.mass_share),
        "muscles": recording.muscles.tolist(),
        "rest_m": _short(recording.rest_m),
        "pellets_m": [_short(place) for place in recording.pellets_m[: taken + 1]],
        "taken_at": [int(np.argmax(recording.collected[stride - 1 :: stride] > k)) for k in range(_seen(recording))],
        "fitness": round(recording.fitness, 3),
        "places": base64.b64encode(_deflate(whole.reshape(len(whole), -1))).decode(),
    }


def unpack(film: dict[str, Any]) -> Floats:
    """Return the places of a packed film, in m, [F, 3, N], as the page does."""
    n_frames, n_nodes = film["n_frames"], len(film["radius_m"])
    planes = np.frombuffer(zlib.decompress(base64.b64decode(film["places"])), np.uint8).reshape(2, -1).astype(np.uint16)
    zigzag = planes[0] | planes[1] << 8
    change = (zigzag >> 1 ^ -(zigzag & 1)).reshape(-1, n_frames)
    whole = change.cumsum(axis=1, dtype=np.uint16).cumsum(axis=1, dtype=np.uint16).astype(np.int16)
    places: Floats = (whole.T.reshape(n_frames, 3, n_nodes) * film["quantum_m"]).astype(np.float32)
    return places


def stride_of(recording: Recording) -> int:
    """Return every which step of a life the page shows."""
    n = len(recording.position_m)
    return min(max(round(1 / (recording.frame_s * FRAMES_PER_S)), -(-n // MAX_FRAMES)), n)


def _until_it_blows_up(position_m: Floats) -> Floats:
    """Return the frames before the first in which a node is nowhere; what cannot be drawn is no frame."""
    is_there = np.isfinite(position_m).all(axis=(1, 2))
    return position_m if is_there.all() else np.nan_to_num(position_m[: max(int(np.argmin(is_there)), 1)])


def _seen(recording: Recording) -> int:
    """Return how many pellets are taken by the last frame that is shown."""
    stride = stride_of(recording)
    return int(recording.collected[stride - 1 :: stride][-1])


def _deflate(whole: NDArray[np.int16]) -> bytes:
    """Pack [F, C] numbers: each column's second differences, small ones near 0, low bytes before high bytes."""
    change = np.diff(np.diff(whole.T, axis=1, prepend=np.int16(0)), axis=1, prepend=np.int16(0))  # wraps around
    zigzag = (change << 1 ^ change >> 15).view(np.uint16).reshape(-1)
    planes = np.stack([zigzag & 0xFF, zigzag >> 8]).astype(np.uint8)
    return zlib.compress(planes.tobytes(), 9)


def _short(numbers: Floats) -> list[float]:
    return [round(float(value), 4) for value in numbers]

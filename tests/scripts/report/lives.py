"""Lives that nobody lived, places of nodes and nothing else of note; and how a film is unpacked."""

import base64
import zlib

import numpy as np

from atoll.evo.tasks.creatures import recording


def made_up(places, *, frame_s=1 / 30):
    n = len(places)
    return recording.Recording(
        frame_s=frame_s,
        position_m=places.astype(np.float32),
        radius_m=np.ones(places.shape[2], np.float32),
        muscles=np.zeros((0, 2), np.int64),
        rest_m=np.zeros(0, np.float32),
        mass_share=np.ones(places.shape[2], np.float32),
        collected=np.zeros(n, np.int64),
        pellets_m=np.ones((3, 2), np.float32),
        fitness=0.0,
    )


def unpack(film):
    """Return the places of a packed film, in m, [F, 3, N], as the page does."""
    n_frames, n_nodes = film["n_frames"], len(film["radius_m"])
    planes = np.frombuffer(zlib.decompress(base64.b64decode(film["places"])), np.uint8).reshape(2, -1).astype(np.uint16)
    zigzag = planes[0] | planes[1] << 8
    change = (zigzag >> 1 ^ -(zigzag & 1)).reshape(-1, n_frames)
    whole = change.cumsum(axis=1, dtype=np.uint16).cumsum(axis=1, dtype=np.uint16).astype(np.int16)
    return (whole.T.reshape(n_frames, 3, n_nodes) * film["quantum_m"]).astype(np.float32)

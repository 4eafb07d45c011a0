"""Lives that nobody lived: places of nodes, and nothing else of note."""

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

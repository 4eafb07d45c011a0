"""A life on one page: the way it went, seen from above, and the body at a dozen moments."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from atoll.scripts.report.strain import colour_of

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes

    from atoll.evo.genome import Floats
    from atoll.evo.tasks.creatures.recording import Recording

MOMENTS = 12
MOMENT_S = 1 / 6
COLUMNS = 4
VIEW_M = 2.6
"""Half the width of what a moment shows."""
TILT = np.deg2rad(20.0)
"""How far the camera looks down."""


def draw(recording: Recording, path: Path, *, title: str) -> None:
    """Write a contact sheet of one life, in the format that the suffix of `path` names."""
    from atoll.scripts.report.agg import Figure  # noqa: PLC0415 - half a second, for pictures only

    figure = Figure(figsize=(15, 6.2), layout="constrained")
    places = figure.add_gridspec(MOMENTS // COLUMNS, COLUMNS + 2)
    _draw_way(figure.add_subplot(places[:, :2]), recording)
    for i, frame in enumerate(_moments(recording)):
        _draw_moment(figure.add_subplot(places[i // COLUMNS, 2 + i % COLUMNS]), recording, frame)
    figure.suptitle(title)
    figure.savefig(path, dpi=100)


def _moments(recording: Recording) -> list[int]:
    """Return frames `MOMENT_S` apart, from the middle of the life, so that a gait can be seen."""
    apart = round(MOMENT_S / recording.frame_s)
    first = max(len(recording.position_m) // 2 - apart * MOMENTS // 2, 0)
    return [min(first + i * apart, len(recording.position_m) - 1) for i in range(MOMENTS)]


def _draw_way(axes: Axes, recording: Recording) -> None:
    taken = int(recording.collected[-1])
    centre = recording.centre_m
    for k, (x, z) in enumerate(recording.pellets_m[: taken + 1]):
        axes.plot(x, z, "o", color="tab:orange", markersize=9, fillstyle="full" if k < taken else "none")
        axes.annotate(str(k + 1), (x, z), xytext=(7, 5), textcoords="offset points")
    axes.scatter(centre[:, 0], centre[:, 2], c=np.arange(len(centre)), s=2, cmap="viridis")
    axes.plot(centre[0, 0], centre[0, 2], "k+", markersize=10)
    axes.set(aspect="equal", xlabel="x (m)", ylabel="z (m)", title=f"from above: {taken} pellets taken")
    axes.grid(alpha=0.3)


def _draw_moment(axes: Axes, recording: Recording, frame: int) -> None:
    from atoll.scripts.report.agg import Circle  # noqa: PLC0415

    place = _seen_from_the_side(recording, frame)
    ends = recording.position_m[frame][:, recording.muscles]
    strain = np.linalg.norm(ends[:, :, 1] - ends[:, :, 0], axis=0) / recording.rest_m - 1
    for (i, j), value in zip(recording.muscles, strain, strict=True):
        axes.plot(*place[:, [i, j]], color=[channel / 255 for channel in colour_of(value)], linewidth=2, zorder=1)
    for i, radius_m in enumerate(recording.radius_m):
        axes.add_patch(Circle((place[0, i], place[1, i]), radius_m, color="0.3", alpha=0.8, zorder=2))
    axes.axhline(0, color="0.6", zorder=0)
    axes.set(aspect="equal", xlim=(-VIEW_M, VIEW_M), ylim=(-1.2, 3.2), xticks=[], yticks=[])
    axes.set_title(f"{(frame + 1) * recording.frame_s:.1f} s", fontsize=9)


def _seen_from_the_side(recording: Recording, frame: int) -> Floats:
    """Project the nodes of a frame, looking slightly down and following the centre of mass, [2, N]."""
    x, y, z = recording.position_m[frame]
    centre = recording.centre_m[frame]
    depth = z - centre[2]
    seen: Floats = np.stack([x - centre[0], y * np.cos(TILT) + depth * np.sin(TILT)])
    return seen

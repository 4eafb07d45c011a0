"""Pictures of a walk: an animation for a slide, drawn with Pillow, and a contact sheet, drawn with Matplotlib.

The animation has a camera that follows and ground in squares of a metre. The sheet has the way it went, seen from
above, and the body at a dozen moments. A muscle has the same colour everywhere: orange when it is shorter than at rest,
blue when it is longer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from atoll.evo.tasks.creatures.world import PELLET_M

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from matplotlib.axes import Axes
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

    from atoll.evo.genome import Floats
    from atoll.evo.tasks.creatures.recording import Recording

    _Thing = tuple["Places", Callable[[ImageDraw, "_Camera"], None]]
    """What is drawn: its middle in m, by which the farthest comes first, and how."""

Places = NDArray[np.floating[Any]]
Colour = tuple[int, int, int]
"""Red, green and blue, 0 to 255."""

SHORT, REST, LONG = (230, 97, 0), (185, 180, 168), (47, 111, 208)
FULL_STRAIN = 0.35
"""Where a muscle has its full colour: its length over that at rest, less 1; `web/stage.js` draws by them too."""

FRAMES_PER_S = 20
MAX_S = 8.0
SIZE = (480, 300)
SHARPER = 2
"""Drawn so much larger, then made smaller: Pillow has no smooth edges of its own."""
FOCAL = 1.9
"""Distance of the picture's plane in half heights of the picture."""
SKY, GROUND, GRID = (207, 228, 238), (236, 227, 203), (203, 189, 149)
NODE, PELLET, TAKEN = (70, 82, 95), (242, 183, 5), (141, 154, 163)
SHADOW = (198, 191, 171)
LIGHTS = (0.72, 0.9, 1.08, 1.3)
"""How bright a ball is, from its edge to where the light falls on it."""
MUSCLE_M = 0.045
GRID_M = 14
NEAREST_M = 0.5

MOMENTS = 12
MOMENT_S = 1 / 6
COLUMNS = 4
VIEW_M = 2.6
"""Half the width of what a moment shows."""
TILT = np.deg2rad(20.0)
"""How far the camera looks down."""


def colour_of(strain: float) -> Colour:
    """Return the colour of a muscle that is longer than at rest by this share, or shorter by it if negative."""
    return mixed(REST, SHORT if strain < 0 else LONG, min(abs(strain) / FULL_STRAIN, 1.0))


def mixed(one: Colour, other: Colour, share: float) -> Colour:
    """Return the colour between two, `share` of the way to the other."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


@dataclass(frozen=True)
class _Camera:
    """Looks down a little at a place; `across`, `up` and `ahead` are its axes."""

    eye_m: Places
    across: Places
    up: Places
    ahead: Places

    def project(self, place_m: Places) -> tuple[Places, Places]:
        """Return where places [..., 3] are in the picture, in its pixels, and how many pixels a metre has there."""
        seen = place_m - self.eye_m
        depth = np.maximum(seen @ self.ahead, NEAREST_M)
        scale = FOCAL * SIZE[1] * SHARPER / 2 / depth
        x = SIZE[0] * SHARPER / 2 + (seen @ self.across) * scale
        y = SIZE[1] * SHARPER / 2 - (seen @ self.up) * scale
        return np.stack([x, y], axis=-1), scale


def write_animation(recording: Recording, path: Path) -> None:
    """Write the walk, or its first eight seconds, as a GIF.

    Raises:
        OSError: It cannot be written.
    """
    from PIL import Image  # noqa: PLC0415 - for pictures only

    palette = Image.new("P", (1, 1))
    palette.putpalette([channel for colour in _palette() for channel in colour])
    first, *rest = [
        _picture(recording, frame).quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames_of(recording)
    ]
    first.save(path, "GIF", save_all=True, append_images=rest, duration=1000 // FRAMES_PER_S, loop=0)


def _palette() -> list[Colour]:
    """Return the colours that things have, and what lies between them and the ground, for smooth edges."""
    balls = [_lit(colour, light) for colour in (NODE, PELLET, TAKEN) for light in LIGHTS]
    rods = [colour_of(strain) for strain in np.linspace(-FULL_STRAIN, FULL_STRAIN, 17)]
    edges = [mixed(colour, GROUND, 0.5) for colour in (NODE, GRID)]  # more of them, and the file is a fifth larger
    return [SKY, GROUND, GRID, SHADOW, *balls, *rods, *edges]


def frames_of(recording: Recording) -> list[int]:
    """Return the steps that are drawn, every one as it was simulated."""
    every = max(round(1 / (recording.frame_s * FRAMES_PER_S)), 1)
    n = min(len(recording.position_m), round(MAX_S / recording.frame_s))
    return list(range(min(every, n) - 1, n, every))


def _picture(recording: Recording, frame: int) -> Image:
    from PIL import Image, ImageDraw  # noqa: PLC0415

    image = Image.new("RGB", (SIZE[0] * SHARPER, SIZE[1] * SHARPER), SKY)
    draw = ImageDraw.Draw(image)
    anchor = _anchor(recording, frame)
    camera = _camera(recording, anchor)
    _draw_ground(draw, camera, anchor)
    things = [*_pellets(recording, frame), *_muscles(recording, frame), *_nodes(recording, frame)]
    depth = [-float((middle_m - camera.eye_m) @ camera.ahead) for middle_m, _ in things]
    _draw_shadows(draw, camera, recording, frame)
    for i in np.argsort(depth, kind="stable"):  # the farthest first
        things[i][1](draw, camera)
    return image.resize(SIZE, Image.Resampling.LANCZOS)


def _camera(recording: Recording, anchor_m: Places) -> _Camera:
    spread = recording.position_m - recording.centre_m[:, :, None]
    far_m = 3.0 * float(np.linalg.norm(spread, axis=1).max() + recording.radius_m.max()) + 1.0
    back = np.array([0.45, 0.36, 0.82])
    ahead = -back / np.linalg.norm(back)
    across = np.cross(ahead, [0.0, 1.0, 0.0])
    across /= np.linalg.norm(across)
    return _Camera(anchor_m - far_m * ahead, across, np.cross(across, ahead), ahead)


def _anchor(recording: Recording, frame: int) -> Places:
    """Return the centre of mass, averaged over a second, so that the camera does not shake."""
    reach = round(0.5 / recording.frame_s)
    near = recording.centre_m[max(frame - reach, 0) : frame + reach + 1].mean(axis=0)
    return np.array([near[0], recording.centre_m[:, 1].mean(), near[2]])


def _draw_ground(draw: ImageDraw, camera: _Camera, anchor_m: Places) -> None:
    horizon = round(SIZE[1] * SHARPER / 2 - camera.up[1] ** -1 * camera.ahead[1] * -FOCAL * SIZE[1] * SHARPER / 2)
    draw.rectangle((0, max(horizon, 0), SIZE[0] * SHARPER, SIZE[1] * SHARPER), fill=GROUND)
    x, z = (np.floor(anchor_m[axis]) for axis in (0, 2))
    for i in range(-GRID_M, GRID_M + 1):
        steps = np.arange(-GRID_M, GRID_M + 1.0)
        for line in (
            np.stack([np.full_like(steps, x + i), 0 * steps, z + steps], axis=1),
            np.stack([x + steps, 0 * steps, np.full_like(steps, z + i)], axis=1),
        ):
            ahead = (line - camera.eye_m) @ camera.ahead > NEAREST_M
            place, _ = camera.project(line[ahead])
            if len(place) > 1:
                draw.line([tuple(point) for point in place.tolist()], fill=GRID, width=SHARPER)


def _draw_shadows(draw: ImageDraw, camera: _Camera, recording: Recording, frame: int) -> None:
    for x, y, z, radius_m in zip(*recording.position_m[frame], recording.radius_m, strict=True):
        place, scale = camera.project(np.array([x, 0.0, z]))
        size = radius_m * float(scale) / (1 + 0.4 * max(float(y - radius_m), 0.0))
        flat = size * abs(float(camera.ahead[1]))
        draw.ellipse((place[0] - size, place[1] - flat, place[0] + size, place[1] + flat), fill=SHADOW)


def _ball(middle_m: Places, radius_m: float, colour: Colour) -> _Thing:
    def draw_ball(draw: ImageDraw, camera: _Camera) -> None:
        place, scale = camera.project(middle_m)
        size = radius_m * float(scale)
        for share, light in zip((1.0, 0.88, 0.62, 0.3), LIGHTS, strict=True):
            x, y = place + np.array([-0.3, -0.38]) * size * (1 - share)
            box = (x - share * size, y - share * size, x + share * size, y + share * size)
            draw.ellipse(box, fill=_lit(colour, light))

    return middle_m, draw_ball


def _rod(ends_m: Places, colour: Colour) -> _Thing:
    def draw_rod(draw: ImageDraw, camera: _Camera) -> None:
        place, scale = camera.project(ends_m)
        width = max(round(2 * MUSCLE_M * float(scale.mean())), 1)
        draw.line([tuple(point) for point in place.tolist()], fill=colour, width=width)

    return ends_m.mean(axis=0), draw_rod


def _nodes(recording: Recording, frame: int) -> list[_Thing]:
    places = recording.position_m[frame].T
    return [_ball(place, float(radius), NODE) for place, radius in zip(places, recording.radius_m, strict=True)]


def _muscles(recording: Recording, frame: int) -> list[_Thing]:
    ends = recording.position_m[frame].T[recording.muscles]
    strain = np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1) / recording.rest_m - 1
    return [_rod(pair, colour_of(float(value))) for pair, value in zip(ends, strain, strict=True)]


def _pellets(recording: Recording, frame: int) -> list[_Thing]:
    taken = int(recording.collected[frame])
    shown = recording.pellets_m[: taken + 1]
    return [
        _ball(np.array([x, PELLET_M, z]), PELLET_M * (0.6 if k < taken else 1.0), TAKEN if k < taken else PELLET)
        for k, (x, z) in enumerate(shown)
    ]


def _lit(colour: Colour, light: float) -> Colour:
    red, green, blue = (min(round(light * channel), 255) for channel in colour)
    return red, green, blue


def write_sheet(recording: Recording, path: Path, *, title: str) -> None:
    """Write a contact sheet of one life, in the format that the suffix of `path` names."""
    from atoll.scripts.report.style import Figure  # noqa: PLC0415 - half a second, for sheets only

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
    from atoll.scripts.report.style import Circle  # noqa: PLC0415

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

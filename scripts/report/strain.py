"""The colour of a muscle, the same in every picture: orange when it is shorter than at rest, blue when it is longer."""

from __future__ import annotations

Colour = tuple[int, int, int]
"""Red, green and blue, 0 to 255."""

SHORT, REST, LONG = (230, 97, 0), (185, 180, 168), (47, 111, 208)
FULL_STRAIN = 0.35
"""Where a muscle has its full colour: its length over that at rest, less 1; `web/stage.js` draws by them too."""


def colour_of(strain: float) -> Colour:
    """Return the colour of a muscle that is longer than at rest by this share, or shorter by it if negative."""
    return mixed(REST, SHORT if strain < 0 else LONG, min(abs(strain) / FULL_STRAIN, 1.0))


def mixed(one: Colour, other: Colour, share: float) -> Colour:
    """Return the colour between two, `share` of the way to the other."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue

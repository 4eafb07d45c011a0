"""What a user may choose about the creatures' task."""

from __future__ import annotations

from dataclasses import dataclass

from atoll.evo.errors import ConfigError

CONTROLLERS = ("neural", "oscillator")
MAX_COURSES = 1000
MAX_LIFE_S = 3600.0
TICKS_PER_S = 10
"""How often a creature looks around and acts, in hertz."""


@dataclass(frozen=True)
class CreatureOptions:
    """The options of the task; together they identify the problem.

    Attributes:
        courses: Number of pellet layouts every creature is scored on, 1 to 1000.
        life_s: How long a life lasts, in seconds: a positive multiple of 0.1.
        controller: What moves the muscles: "neural" or "oscillator".

    Raises:
        ConfigError: An option is out of its range.
    """

    courses: int = 8
    life_s: float = 30.0
    controller: str = "neural"

    def __post_init__(self) -> None:
        if not 1 <= self.courses <= MAX_COURSES:
            raise ConfigError(f"courses: expected 1 to {MAX_COURSES}, got {self.courses}")
        if not 0.0 < self.life_s <= MAX_LIFE_S or abs(self.life_s * TICKS_PER_S - self.ticks) > 1e-6:
            raise ConfigError(
                f"life_s: expected a multiple of 0.1 s, above 0 and up to {MAX_LIFE_S}, got {self.life_s}"
            )
        if self.controller not in CONTROLLERS:
            raise ConfigError(f"controller: expected one of {', '.join(CONTROLLERS)}, got {self.controller!r}")

    @property
    def ticks(self) -> int:
        """Number of times a creature acts in its life."""
        return round(self.life_s * TICKS_PER_S)

"""Controllers of the muscles, ten times a second: senses in, one action in [-1, 1] per muscle out.

A controller's weights are its genes as they stand, [W, P], in the order of its segments. Both controllers read the
same seven senses:

0, 1  direction from the centre of mass to the active pellet, x and z of a unit vector
2     distance to it, in tens of metres
3-5   velocity of the centre of mass, x, y, z, in m/s
6     part of the nodes that touch the ground

Sums start with the bias and add weight times input in ascending order of the input.
"""

from __future__ import annotations

from atoll.evo.genome import Segment
from atoll.evo.tasks.creatures.arithmetic import Array, cosine, tanh
from atoll.evo.tasks.creatures.world import MUSCLES

SENSES = 7
HIDDEN = 8
INPUTS = SENSES + 2


class Neural:
    """A clock, eight tanh units and a tanh output per muscle.

    Source: Sims 1994, for sensors and clocks wired to effectors by evolution.
    """

    segments = (
        Segment("clock_hz", 1, 0.2, 3.0),
        Segment("hidden_bias", HIDDEN, -2.0, 2.0),
        Segment("hidden_weight", INPUTS * HIDDEN, -2.0, 2.0),  # input by input
        Segment("output_bias", MUSCLES, -2.0, 2.0),
        Segment("output_weight", HIDDEN * MUSCLES, -2.0, 2.0),  # hidden unit by hidden unit
    )

    def act(self, weights: Array, senses: Array, time_s: float) -> Array:
        """Choose actions [28, L] by weights [W, L], senses [7, L] and an exact float32 time, which sets the clock."""
        turns = weights[0] * time_s
        clock = [cosine(turns), cosine(turns - 0.25)]
        hidden = tanh(_layer(weights[1:], _rows(senses) + clock, HIDDEN))
        return tanh(_layer(weights[1 + HIDDEN * (1 + INPUTS) :], _rows(hidden), MUSCLES))


class Oscillator:
    """A sine per muscle, of its own frequency and phase; its swing is a tanh unit of the senses."""

    segments = (
        Segment("frequency_hz", MUSCLES, 0.2, 3.0),
        Segment("phase_turns", MUSCLES, 0.0, 1.0),
        Segment("swing_bias", MUSCLES, -2.0, 2.0),
        Segment("swing_weight", SENSES * MUSCLES, -2.0, 2.0),  # sense by sense
    )

    def act(self, weights: Array, senses: Array, time_s: float) -> Array:
        """Choose actions, as `Neural.act` does."""
        swing = tanh(_layer(weights[2 * MUSCLES :], _rows(senses), MUSCLES))
        return swing * cosine(weights[:MUSCLES] * time_s + weights[MUSCLES : 2 * MUSCLES])


Controller = Neural | Oscillator
CONTROLLERS: dict[str, Controller] = {"neural": Neural(), "oscillator": Oscillator()}


def _rows(array: Array) -> list[Array]:
    return [array[i] for i in range(len(array))]


def _layer(weights: Array, inputs: list[Array], units: int) -> Array:
    """Return bias + Σ weight · input of `units` units; weights hold the biases, then a row of units per input."""
    total = weights[:units]
    for i, value in enumerate(inputs, start=1):
        total = total + weights[units * i : units * (i + 1)] * value
    return total

"""Arithmetic of the simulation: functions made of float32 `+ - * /`, comparison and selection only.

A library's sine differs from machine to machine in the last bit, and these bodies are chaotic: one bit is another walk
within seconds. Each function below rounds after every operation, in the order it is written in (no fused
multiply-add), so any backend that repeats it agrees bit for bit. Constants are rounded to float32 before use. Division
is by arrays only: a library may turn division by a constant into a multiplication.

Every function takes NumPy arrays and PyTorch tensors alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable

    import torch

    from atoll.evo.genome import Floats

Array = TypeVar("Array", "Floats", "torch.Tensor")

SINE = (6.283185005187988, -41.34165573120117, 81.60100555419922, -76.5497817993164, 39.536705017089844)
"""Odd polynomial for sin 2πu on |u| ≤ 1/4: coefficients of u, u³, u⁵, u⁷, u⁹; our own minimax fit."""
ROUNDER = 12582912.0
"""1.5 · 2²³: adding it and taking it away rounds a float32 below 2²² to the nearest whole number, ties to even."""
TANH_LIMIT = 4.97
"""Where the rational function below comes closest to 1 without passing it."""


def cosine(turns: Array) -> Array:
    """Return the cosine of an angle in turns (1 is a full circle), within 3e-7 for angles below 1,000 turns.

    A sine is `cosine(turns - 0.25)`.
    """
    part = turns - ((turns + ROUNDER) - ROUNDER)
    u = 0.25 - abs(part)
    s = u * u
    high = s * (SINE[3] + s * SINE[4])
    # NumPy keeps float32 beside a Python number (NEP 50); its type stubs do not say so.
    return u * (SINE[0] + s * (SINE[1] + s * (SINE[2] + high)))  # type: ignore[return-value]


def tanh(x: Array) -> Array:
    """Return the hyperbolic tangent within 1e-4; odd, and never beyond -1 and 1.

    Source: Lambert 1768, the continued fraction cut after its seventh term.
    """
    x = x.clip(-TANH_LIMIT, TANH_LIMIT)
    s = x * x
    above = x * (135135.0 + s * (17325.0 + s * (378.0 + s)))
    below = 135135.0 + s * (62370.0 + s * (3150.0 + s * 28.0))
    return above / below  # type: ignore[return-value]


def add_in_order(terms: Iterable[Array]) -> Array:
    """Add one term after another, from the first: a library's sum may take any order."""
    total, *rest = terms
    for term in rest:
        total = total + term  # type: ignore[assignment]
    return total

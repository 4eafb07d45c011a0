"""Sampling of genomes from a search distribution, and what evolution strategies share: the unit box, ranks and sums.

A strategy works in the unit box, in which every gene goes from 0 to 1. Its sample is read back from the genes, which
are float32 and clipped to their bounds: so it learns from what was scored, and keeps no second copy.

Sums are made in one stated order, and `exp` and `log` by operations that IEEE 754 defines to the last bit. NumPy's own
sums, matrix products and functions may differ in it from one processor to another.
"""

from __future__ import annotations

from decimal import Context, Decimal
from functools import cache, lru_cache
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from atoll.evo import selection
from atoll.evo.errors import ConfigError

if TYPE_CHECKING:
    from atoll.evo.genome import Ancestry, Floats, GenomeSpec, Population
    from atoll.evo.rng import Streams

Doubles = NDArray[np.float64]
Summands = TypeVar("Summands", NDArray[np.float32], NDArray[np.float64])

LEAST_STEP = 1e-8
"""A step in the unit box that float32 genes could not show any more."""
LN2_HIGH, LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
"""The logarithm of 2 as two numbers; a small whole number times the first is exact."""
EXP_TERMS = 14
LOG_TERMS = 17
CENTRAL_OVER = (
    *(2.5090809287301226727e3, 3.3430575583588128105e4, 6.7265770927008700853e4, 4.5921953931549871457e4),
    *(1.3731693765509461125e4, 1.9715909503065514427e3, 1.3314166789178437745e2, 3.3871328727963666080e0),
)
CENTRAL_UNDER = (
    *(5.2264952788528545610e3, 2.8729085735721942674e4, 3.9307895800092710610e4, 2.1213794301586595867e4),
    *(5.3941960214247511077e3, 6.8718700749205790830e2, 4.2313330701600911252e1, 1.0),
)
TAIL_OVER = (
    *(7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1, 1.27045825245236838258e0),
    *(3.64784832476320460504e0, 5.76949722146069140550e0, 4.63033784615654529590e0, 1.42343711074968357734e0),
)
TAIL_UNDER = (
    *(1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2, 1.48103976427480074590e-1),
    *(6.89767334985100004550e-1, 1.67638483018380384940e0, 2.05319162663775882187e0, 1.0),
)


def check_real(spec: GenomeSpec, algorithm: str) -> None:
    """Raise ConfigError unless all genes are real: whole numbers and gates have no direction to learn."""
    others = [segment for segment in spec.segments if segment.kind.value != "real"]
    if others:
        raise ConfigError(
            f"--algorithm {algorithm} varies real genes only, and segment {others[0].name!r} is of kind "
            f"{others[0].kind.value}; use --algorithm ga, or make it real and round it in the task"
        )


def to_unit(genes: Floats, spec: GenomeSpec) -> Doubles:
    """Return genes [..., D] as places in the unit box."""
    low = spec.low.astype(np.float64)
    return (genes - low) / (spec.high - low)


def from_unit(places: Doubles, spec: GenomeSpec) -> Floats:
    """Return places in the unit box as genes within their bounds, [..., D]."""
    low = spec.low.astype(np.float64)
    genes = (low + places * (spec.high - low)).astype(np.float32)
    return np.asarray(np.clip(genes, spec.low, spec.high))


def to_genes(mean: Doubles, step: Doubles, z: Floats, spec: GenomeSpec) -> Floats:
    """Return samples `mean` + `step` z of the unit box as genes within their bounds; mean and step [D], z [P, D]."""
    low, span = spec.low.astype(np.float64), spec.high.astype(np.float64) - spec.low
    genes = z * (step * span).astype(np.float32)
    genes += (low + mean * span).astype(np.float32)
    np.maximum(genes, spec.low, out=genes)
    return np.minimum(genes, spec.high, out=genes)


def to_samples(genes: Floats, mean: Doubles, step: Doubles, spec: GenomeSpec) -> Floats:
    """Return z [P, D] of which `to_genes` makes these genes, none longer than a sample can be expected to be."""
    return bounded(displacements(genes, mean, step, spec))


def displacements(genes: Floats, mean: Doubles, step: Doubles, spec: GenomeSpec) -> Floats:
    """Return z [P, D] of which `to_genes` makes these genes."""
    low, span = spec.low.astype(np.float64), spec.high.astype(np.float64) - spec.low
    z = genes - (low + mean * span).astype(np.float32)
    z *= (1.0 / (step * span)).astype(np.float32)
    return z


def bounded(z: Summands) -> Summands:
    """Return z [P, D] with whoever is longer than a sample can be expected to be shortened to that length.

    Immigrants may lie far away; as long as the longest that is to be expected, they point the way and do no harm.

    Source: Hansen 2011, "Injecting external solutions into CMA-ES", section 3; the length is sqrt(D) + 2.
    """
    limit = z.dtype.type(np.sqrt(z.shape[1]) + 2.0)
    # A dot product has no stated order. It says who may be far, since rounding in any order is less than this.
    rounding = (z.shape[1] + 4) * np.finfo(z.dtype).eps
    far = np.flatnonzero(np.vecdot(z, z) > limit * limit * (1.0 - rounding))
    if len(far):
        length = np.sqrt(ordered_sum((z[far] * z[far]).T))
        z = z.copy()
        z[far] *= np.minimum(limit / length, 1.0)[:, None]
    return z


def ordered_sum(values: Summands) -> Summands:
    """Return the sum over the first axis by halves, the same to the last bit on every machine."""
    n = 1 << max(len(values) - 1, 0).bit_length() >> 1 or 1
    total = values[:n].copy()
    total[: len(values) - n] += values[n:]
    while n > 1:
        n //= 2
        total[:n] += total[n : 2 * n]
    result: Summands = total[0]
    return result


def normal(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    """Draw standard normal numbers, each of 65,536 that are equally likely, the largest 4.3: a quarter of NumPy's time.

    Each takes 16 random bits.
    """
    return _quantiles().take(_random_words(rng, shape), mode="wrap")  # no word lies beyond it: this spares the check


def _random_words(rng: np.random.Generator, shape: tuple[int, int]) -> NDArray[np.uint16]:
    """Draw words of 16 random bits, four from each of the generator's own, which takes less than `rng.bytes`."""
    n = shape[0] * shape[1]
    return rng.bit_generator.random_raw(-(-n // 4)).astype("<u8", copy=False).view("<u2")[:n].reshape(shape)


@cache
def _quantiles() -> Floats:
    """Return the normal quantile of the middle of each of 2^16 equal classes, scaled to a variance of 1.

    Source: Wichura 1988, Applied Statistics 37(3), 477-484, algorithm AS 241 (PPND16); its outer tail is not reached.
    """
    p = (np.arange(1 << 15) + 0.5) / (1 << 16)  # the lower half; the upper is its mirror image
    q = p - 0.5
    r = 0.180625 - q * q
    central = q * _polynomial(r, CENTRAL_OVER) / _polynomial(r, CENTRAL_UNDER)
    r = np.sqrt(-_log(p)) - 1.6
    tail = -_polynomial(r, TAIL_OVER) / _polynomial(r, TAIL_UNDER)
    lower = np.where(np.abs(q) <= 0.425, central, tail)
    lower /= np.sqrt(ordered_sum(lower * lower) / len(lower))
    return np.concatenate([lower, -lower[::-1]]).astype(np.float32)


def _polynomial(x: Doubles, coefficients: tuple[float, ...]) -> Doubles:
    """Return the polynomial with these coefficients, the highest power's first, by Horner's rule."""
    result = np.zeros_like(x)
    for coefficient in coefficients:
        result = result * x + coefficient
    return result


def _log(x: Doubles) -> Doubles:
    """Return ln x, the same on every machine: the exponent, and the series of atanh for what is left."""
    mantissa, exponent = np.frexp(x)
    t = (mantissa - 1.0) / (mantissa + 1.0)
    series = np.zeros_like(t)
    for n in range(2 * LOG_TERMS - 1, 0, -2):
        series = series * (t * t) + 1.0 / n
    return np.asarray(2.0 * t * series + exponent * (LN2_HIGH + LN2_LOW))


def exp(x: Doubles) -> Doubles:
    """Return e^x for |x| < 700, to about one unit in the last place, the same on every machine."""
    k = np.rint(x / (LN2_HIGH + LN2_LOW))
    r = (x - k * LN2_HIGH) - k * LN2_LOW
    result = np.ones_like(r)
    for n in range(EXP_TERMS, 0, -1):
        result = 1.0 + result * r / n
    return np.asarray(np.ldexp(result, k.astype(np.int64)), dtype=np.float64)


@lru_cache(maxsize=4096)
def log(x: float) -> float:
    """Return ln x, correctly rounded but for one case in 10^11, the same on every machine."""
    return float(Context(prec=28).ln(Decimal(x)))


def shares_of(individual: Population) -> Doubles:
    """Return whose founders each gene of one individual descends from, as shares of the islands in its table [K, D]."""
    return np.asarray(individual.ancestry == np.arange(len(individual.islands))[:, None], dtype=np.float64)


def recombined_shares(population: Population, weights: Doubles) -> Doubles:
    """Return the shares of origins in each gene of a mean of the population by `weights` [P], [K, D].

    Origins are the islands in the population's table.
    """
    k, d = len(population.islands), population.genes.shape[1]
    parents = np.flatnonzero(weights)
    if k == 1:
        return np.ones((1, d))
    places = population.ancestry.take(parents, axis=0).astype(np.int64)
    places += k * np.arange(d)
    shares = np.bincount(places.reshape(-1), weights=np.repeat(weights[parents], d), minlength=k * d)
    return np.ascontiguousarray(shares.reshape(d, k).T)


def main_origins(shares: Doubles) -> Ancestry:
    """Return for each gene the origin that has the largest of the shares [K, D], of equals the first, [D]."""
    return np.asarray(shares.argmax(axis=0), dtype=np.uint16)


def painted(shares: Doubles, n: int, streams: Streams) -> Ancestry:
    """Draw the ancestry of `n` children of a mean, gene by gene, by the shares [K, D] of its origins, [n, D].

    Where all genes have one origin nothing is drawn.
    """
    present = np.flatnonzero(shares.any(axis=1))
    if len(present) == 1:
        return np.full((n, shares.shape[1]), present[0], dtype=np.uint16)
    classes = np.cumsum(shares[present], axis=0)[:-1] * 65536.0  # of 16 random bits for each gene
    draws = _random_words(streams("ancestry"), (n, shares.shape[1]))
    origins = np.full(draws.shape, present[0], dtype=np.uint16)
    for edge, further in zip(np.minimum(np.rint(classes), 65535.0).astype(np.uint16), np.diff(present), strict=True):
        origins += (draws >= edge) * np.uint16(further)
    return origins


def founder(population: Population, fitness: Floats) -> tuple[Population, Doubles]:
    """Return the best of the founders, [1, D], and its origins, [K, D]: where a strategy begins."""
    best = population.take(selection.best(fitness, 1))
    return best, shares_of(best)

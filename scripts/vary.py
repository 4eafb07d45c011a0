"""Settings that differ from island to island, as a TOML file for `evolve --config`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from evo import atomic
from evo.config import Value, island_config
from evo.rng import stream

if TYPE_CHECKING:
    import numpy as np


def vary(island: str, *, seed: int) -> dict[str, Value]:
    """Draw the breeding settings of one island; a pure function of its name and the seed.

    Rates and scales are drawn evenly in their logarithm, around the defaults.
    """
    rng = stream(seed, island, 0, "vary")
    values: dict[str, Value] = {
        "tournament_size": int(rng.integers(2, 8)),
        "elite_share": _log_uniform(rng, 0.01, 0.1),
        "crossover_rate": round(float(rng.uniform(0.5, 1.0)), 2),
        "mutation_rate": _log_uniform(rng, 0.003, 0.03),
        "mutation_scale": _log_uniform(rng, 0.05, 0.4),
    }
    island_config(island, values, {})
    return values


def as_toml(settings: dict[str, dict[str, Value]]) -> str:
    """Write one section per island."""
    sections = [
        "\n".join([f"[{island}]", *[f"{name} = {value}" for name, value in values.items()]])
        for island, values in settings.items()
    ]
    return "\n\n".join(sections) + "\n"


@click.command()
@click.argument("islands", nargs=-1, required=True)
@click.option("--seed", default=1, show_default=True, help="Another seed draws other settings.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The file; an existing one is kept.")
def main(islands: tuple[str, ...], seed: int, out: Path) -> None:
    """Write settings that differ from island to island.

    An existing file is kept, since islands resume with the settings they were started with.
    """
    made = atomic.create_file(out, as_toml({name: vary(name, seed=seed) for name in islands}).encode(), durable=False)
    click.echo(f"{'wrote' if made else 'kept'} {out}")


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(f"{low * (high / low) ** rng.random():.3g}")


if __name__ == "__main__":
    main()

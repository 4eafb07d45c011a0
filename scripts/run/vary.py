"""Settings that differ from island to island, as a TOML file for `evolve --config`."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import click

from atoll.evo import atomic
from atoll.evo.config import island_config, text_of
from atoll.evo.errors import AtollError, ConfigError
from atoll.evo.rng import stream

if TYPE_CHECKING:
    import numpy as np

    from atoll.evo.settings import Value


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
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The file; its sections are kept.")
def main(islands: tuple[str, ...], seed: int, out: Path) -> None:
    """Write settings that differ from island to island.

    A section that is there stays as it is, since islands resume with the settings they were started with.
    """
    try:
        before = _text_of(out)
        missing = _missing(islands, before, out)
        if missing:
            gap = "" if not before else "\n" if before.endswith("\n") else "\n\n"
            after = f"{before}{gap}{as_toml({name: vary(name, seed=seed) for name in missing})}"
            with atomic.storage_errors("write the settings of the islands"):
                atomic.replace_file(out, after.encode(), durable=False)
    except AtollError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)
    if not missing:
        click.echo(f"kept {out}")
    elif not before:
        click.echo(f"wrote {out}")
    else:
        click.echo(f"added {', '.join(missing)} to {out}")


def _text_of(path: Path) -> str:
    """Return what a file holds, the mark included that some editors put first, so that it stays as it is."""
    try:
        data = path.read_bytes()
        return data.decode() if text_of(data) else ""
    except FileNotFoundError:
        return ""
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot read {path}: {error}") from error


def _missing(islands: tuple[str, ...], text: str, path: Path) -> list[str]:
    try:
        present = tomllib.loads(text_of(text.encode()))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"cannot add islands to {path}: {error}; mend it, or move it away") from error
    return [name for name in islands if name not in present]


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(f"{low * (high / low) ** rng.random():.3g}")


if __name__ == "__main__":
    main()

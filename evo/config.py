"""Settings of an island: frozen, documented, validated once when they are made, and read from flags or a TOML file.

One flat list of names serves the flags, the file and the log; a field's `help` is what `--help` prints. In the file
`[defaults]` is for all islands, `[<island>]` for one, and a table `options` in either for the task's.
"""

from __future__ import annotations

import codecs
import dataclasses
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from atoll.evo.errors import ConfigError, suggest
from atoll.evo.paths import check_island_name
from atoll.evo.settings import Value, check, flag_name, former, recorded, setting, setting_fields, spelled

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

T = TypeVar("T")

TOPOLOGIES = "full, ring, two-way-ring, star, random-K (K islands drawn anew each time), none (migration off)"
TOPOLOGY = re.compile(r"full|ring|two-way-ring|star|none|random-[1-9][0-9]{0,3}")
FIXED, ADAPTIVE = INTERVALS = ("fixed", "adaptive")
AVOID, REFUSE, ACCEPT = "avoid", "refuse", "accept"
ASYNC, LOCKSTEP, REPLAY = MODES = ("async", "lockstep", "replay")
MAX_MEMBERS = 1024
AUTO, CUDA = "auto", "cuda"
DEVICE = re.compile(r"cuda:(0|[1-9][0-9]{0,3})")
GENERATIONS, EVERY, EVALUATIONS = 150, 10, 37_500
"""What an island does unless it is told otherwise; a population that the algorithm decides has other generations."""
EVERY_DEFAULT = f"{EVERY}, or without --population as many as make {EVALUATIONS * EVERY // GENERATIONS:,} individuals"
LEAST_AUTO_RATE = 0.01
"""What creatures evolve best with, whose genomes are long: 521 genes."""

USER_FILE = "path/to/file.py:NAME"
"""How a flag names something in a user's file."""

DEFAULTS = "defaults"
OPTIONS = "options"
MISSPELT = ("default", "defaults")
"""In any case; as a name of an island's own section it would be read by nobody, without a word."""

Section = tuple[dict[str, Value], dict[str, str]]
"""Settings, and options of the task."""


def is_user_file(named: str) -> bool:
    """Say whether `--task` or `--algorithm` names something in a Python file."""
    return named.partition(":")[0].endswith(".py") or named.rpartition(":")[0].endswith(".py")


NAMES_OF_CODE = ("task", "algorithm")
"""The settings that may name code that is not Atoll's."""


def runs_code(named: str) -> bool:
    """Say whether a task or an algorithm is not Atoll's: a Python file, or a module that registers an environment.

    Only the user may name such code, never a file in the shared directory, where others may write.
    """
    return is_user_file(named) or named.count(":") > 1


def is_built_in(named: str) -> bool:
    """Say whether a task or an algorithm is Atoll's own to the last line: no user's file, and nothing of a library."""
    return ":" not in named and not named.endswith(".py")


@dataclass(frozen=True)
class Breeding:
    """Settings of breeding: how parents become children."""

    selection: str = setting("tournament", "how parents are chosen", choices=("tournament", "truncation", "rank"))
    tournament_size: int = setting(5, "individuals per tournament", low=1, high=1_000_000)
    truncation_share: float = setting(0.2, "share of the population that truncation lets breed", low=0.0, high=1.0)
    rank_pressure: float = setting(1.8, "expected children of the best under linear ranking", low=1.0, high=2.0)
    elite_share: float = setting(
        0.02, "share of the population copied unchanged (at least one, unless 0)", low=0, high=1
    )
    crossover: str = setting("uniform", "how two parents mix", choices=("uniform", "blend", "sbx", "none"))
    crossover_rate: float = setting(1.0, "share of children with two parents", low=0.0, high=1.0)
    blend_alpha: float = setting(
        0.5, "how far blend reaches beyond the parents, in their distance", low=0.0, high=1000.0
    )
    sbx_eta: float = setting(
        15.0, "distribution index of sbx; larger keeps children closer to a parent", low=0.0, high=1e6
    )
    mutation_rate: float | str = setting(
        AUTO,
        f"probability that a gene mutates; {AUTO} for one gene of each child, and at least {LEAST_AUTO_RATE}",
        low=0.0,
        high=1.0,
        word=AUTO,
        changed_from=0.01,
    )
    mutation_scale: float = setting(
        0.15, "standard deviation of a mutation, as a share of the gene's range", low=0.0, high=1000.0
    )

    def __post_init__(self) -> None:
        check(self)

    def n_elites(self, population: int) -> int:
        """Return how many of `population` are copied unchanged; at least one is left to vary."""
        n = max(round(self.elite_share * population), 1 if self.elite_share > 0 else 0)
        return min(n, population - 1)

    def rate(self, n_genes: int) -> float:
        """Return the mutation rate of genomes of `n_genes` genes.

        Source: Mühlenbein 1992, "How genetic algorithms really work: mutation and hillclimbing" (1 / n).
        """
        return self.mutation_rate if isinstance(self.mutation_rate, float | int) else max(1 / n_genes, LEAST_AUTO_RATE)


@dataclass(frozen=True)
class Strategy:
    """Settings of evolution strategies: how a search distribution begins."""

    sigma: float = setting(
        0.1, "first standard deviation of a sample, as a share of each gene's range", low=1e-6, high=10.0
    )
    restart_growth: float = setting(
        2.0,
        "factor of the population whenever a stuck island starts anew, up to 512 times the first; 1 keeps it",
        low=1.0,
        high=100.0,
    )

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True)
class Migration:
    """Settings of migration: what crosses between islands, and when."""

    migrate_every: int = setting(
        0,
        f"generations between migrations; by default {EVERY_DEFAULT}",
        low=1,
        high=1_000_000_000,
        is_open=True,
    )
    migration_interval: str = setting(
        FIXED,
        "fixed: --migrate-every; adaptive: that at first and after a migrant that beats everybody here, and twice as "
        "long as before after a migration that brings none",
        choices=INTERVALS,
    )
    migrants: int = setting(
        0,
        "genomes published, and genomes imported, at each migration; by default 5, or 1 with a strategy, which several "
        "from one place lead astray",
        low=1,
        high=64,
        is_open=True,
    )
    topology: str = setting("ring", f"which islands to import from: {TOPOLOGIES}")
    emigrant_selection: str = setting(
        "best",
        "who is published: the best, any, winners of tournaments, or of the better half those who differ most",
        choices=("best", "random", "tournament", "most-different"),
    )
    emigrant_tournament_size: int = setting(
        5, "individuals per tournament of --emigrant-selection tournament", low=1, high=1_000_000
    )
    replacement: str = setting(
        "worst",
        "who makes room for a migrant: the worst, anybody, whoever is most similar to it, or the worst if it is better",
        choices=("worst", "random", "most-similar", "only-if-better"),
    )
    max_migrant_age: int = setting(
        0, "generations that a migrant may be behind the island that it comes to; 0 for any", low=0, high=1_000_000_000
    )
    duplicates: str = setting(
        AVOID,
        "copies among migrants: avoid (emigrants differ, and in place of one whose very genome lives here already "
        "comes the next best of its batch), refuse (such a one is turned away), or accept",
        choices=(AVOID, REFUSE, ACCEPT),
        changed_from=ACCEPT,
    )
    keep_generations: int = setting(
        0, "published generations to keep, 3 or more; 0 keeps all", low=0, high=1_000_000_000
    )
    durability: str = setting(
        "process",
        "what a publication survives: the death of the process, or a power cut too",
        choices=("process", "power"),
    )
    mode: str = setting(
        ASYNC,
        "take what others have published by now, wait for their same generation (--members), or repeat a recorded "
        "island from its inbox (--replay-from)",
        choices=MODES,
    )
    members: str = setting("", "in lockstep, all islands of the archipelago: a,b,c")
    lockstep_timeout_s: float = setting(
        3600.0, "in lockstep, seconds to wait for a member's publication before giving up", low=0.0, high=1e9
    )
    replay_from: str = setting("", "the recorded island's private folder, for example shared/islands/island-01")

    def __post_init__(self) -> None:
        check(self)
        self._check_mode()
        if not TOPOLOGY.fullmatch(self.topology):
            raise ConfigError(f"--topology must be one of {TOPOLOGIES}; got {self.topology!r}")
        if self.keep_generations in {1, 2}:
            raise ConfigError(
                f"--keep-generations must be 0 (keep all) or at least 3, so that slow islands find a batch; "
                f"got {self.keep_generations}"
            )

    def _check_mode(self) -> None:
        for mode, name in ((LOCKSTEP, "members"), (REPLAY, "replay_from")):
            if (self.mode == mode) != bool(getattr(self, name)):
                raise ConfigError(
                    f"--mode {mode} and {flag_name(name)} go together; got --mode {self.mode}, {flag_name(name)} "
                    f"{getattr(self, name)!r}"
                )
        if self.mode != LOCKSTEP:
            return
        names = tuple(map(check_island_name, self.members.split(",")))
        if len(set(names)) != len(names) or len(names) > MAX_MEMBERS:
            raise ConfigError(f"--members must be at most {MAX_MEMBERS} different islands; got {self.members!r}")
        object.__setattr__(self, "members", ",".join(sorted(names)))  # a set: in whatever order it was spelled
        if self.is_off:
            raise ConfigError("--mode lockstep and --topology none contradict each other: nobody would be waited for")
        if self.is_adaptive:
            raise ConfigError(
                "--mode lockstep needs --migration-interval fixed: members wait for each other's same generation, and "
                "with adaptive intervals they would publish at different ones"
            )
        if self.keep_generations:
            raise ConfigError(
                f"--keep-generations must be 0 (keep all) with --mode lockstep, since a slower member may still need "
                f"what would be pruned; got {self.keep_generations}"
            )

    @property
    def is_off(self) -> bool:
        """Nothing crosses, in either direction."""
        return self.topology == "none"

    @property
    def is_adaptive(self) -> bool:
        """The interval depends on what arrived."""
        return self.migration_interval == ADAPTIVE

    def is_due(self, generation: int, *, last: int = 0, multiplier: int = 1) -> bool:
        """Say whether genomes cross at `generation`; only an adaptive interval depends on a `MigrationSchedule`."""
        if self.is_off or generation == 0:
            return False
        if self.is_adaptive:
            return generation - last >= multiplier * self.migrate_every
        return generation % self.migrate_every == 0


GA, SNES, SEP_CMA, CMA, DE = "ga", "snes", "sep-cma", "cma", "de"
OWN_SETTINGS: dict[str, tuple[str, ...]] = {
    GA: tuple(field.name for field in setting_fields(Breeding)),
    SNES: ("sigma",),
    SEP_CMA: ("sigma", "restart_growth"),
    CMA: ("sigma", "restart_growth"),
    DE: (),
}
"""The algorithms, and which settings each has of its own."""
LEAST_POPULATION = {GA: 2, SNES: 4, SEP_CMA: 4, CMA: 4, DE: 4}
"""The fewest individuals that an algorithm can learn from."""


def own_settings(algorithm: str) -> tuple[str, ...]:
    """Return the names of settings that an algorithm has of its own; a user's has none."""
    return OWN_SETTINGS.get(algorithm, ())


def all_own_settings() -> set[str]:
    """Return the names of settings that some algorithm has of its own."""
    return {name for names in OWN_SETTINGS.values() for name in names}


def check_own_settings(algorithm: str, given: Iterable[str]) -> None:
    """Raise ConfigError where one of the settings that are `given` is of other algorithms only."""
    own = own_settings(algorithm)
    for name in given:
        owners = [each for each, names in OWN_SETTINGS.items() if name in names]
        if owners and name not in own:
            if algorithm == AUTO:
                raise ConfigError(f"{flag_name(name)} is a setting of {', '.join(owners)}; say which with --algorithm")
            has = f"has {', '.join(map(flag_name, own))}" if own else "has none of its own"
            raise ConfigError(f"{flag_name(name)} is a setting of {', '.join(owners)}; --algorithm {algorithm} {has}")


@dataclass(frozen=True)
class IslandConfig:
    """Everything that decides what one island computes."""

    island: str
    population: int = setting(
        0,
        "individuals of a generation; by default as many as the algorithm is used with: 250 for ga, 100 for de, 4 + 3 "
        "ln D for strategies and D genes",
        low=2,
        high=1_000_000,
        is_open=True,
    )
    generations: int = setting(
        0,
        f"generation to reach, counted from the founders (0); by default {GENERATIONS}, or without --population as "
        f"many as make {EVALUATIONS:,} individuals",
        low=1,
        high=1_000_000_000,
        is_open=True,
    )
    seed: int = setting(1, "seed of the whole archipelago", low=0, high=2**53)
    task: str = setting("creatures", "the problem; see 'cli.py tasks'")
    algorithm: str = setting(
        AUTO,
        f"how a generation becomes the next one: {', '.join(OWN_SETTINGS)}, {USER_FILE}, or {AUTO}, by the task's "
        f"genes; see 'cli.py algorithms'",
        former=GA,
    )
    champion_episodes: int = setting(
        5,
        "on a task that is not deterministic, fresh episodes in which whoever is to be champion is scored again; its "
        "fitness is the mean; 0: the highest of all scores decides",
        low=0,
        high=1000,
        former=0,
        changed_from=0,
    )
    backend: str = setting(AUTO, "what computes the fitness; all backends of a task agree bit for bit")
    device: str = setting(
        "",
        "GPU that computes the fitness, as cuda:N: the one for --backend cuda (default cuda:0), and for --backend auto "
        "the one to try first",
        former="",
    )
    threads: int = setting(1, "threads of the numeric libraries, per island", low=1, high=4096)
    checkpoint_every: int = setting(
        0,
        f"generations between checkpoints, at most; by default {EVERY_DEFAULT}",
        low=1,
        high=1_000_000_000,
        is_open=True,
    )
    options: tuple[tuple[str, str], ...] = ()
    breeding: Breeding = Breeding()
    strategy: Strategy = Strategy()
    migration: Migration = Migration()

    def __post_init__(self) -> None:
        check_island_name(self.island)
        check(self)
        if self.algorithm not in {*OWN_SETTINGS, AUTO} and not is_user_file(self.algorithm):
            raise ConfigError(
                f"--algorithm must be {AUTO}, one of {', '.join(OWN_SETTINGS)}, or {USER_FILE}; got "
                f"{self.algorithm!r}{suggest(self.algorithm, [*OWN_SETTINGS, AUTO])}"
            )
        if self.population:
            self._check_population()
        if self.device and (self.backend not in {AUTO, CUDA} or not DEVICE.fullmatch(self.device)):
            raise ConfigError(
                f"--device must be cuda:N, and goes with --backend {CUDA} or {AUTO}; got --device {self.device}, "
                f"--backend {self.backend}"
            )
        growth = self.strategy.restart_growth
        if self.migration.mode == LOCKSTEP and "restart_growth" in own_settings(self.algorithm) and growth > 1:
            raise ConfigError(
                f"--mode lockstep needs --restart-growth 1, since members wait for each other's same generation, and "
                f"equal generations are equal spending only where a restart keeps the population; got {growth}"
            )
        if self.migration.mode == LOCKSTEP and self.island not in self.migration.members.split(","):
            raise ConfigError(
                f"--members must name every island of the lockstep, this one too; {self.island} is not among "
                f"{self.migration.members}"
            )

    def _check_population(self) -> None:
        least = LEAST_POPULATION.get(self.algorithm, 2)
        if self.population < least:
            of = "" if self.algorithm == AUTO else f" with --algorithm {self.algorithm}"
            raise ConfigError(f"--population must be at least {least}{of}, got {self.population}")
        if self.migration.migrants >= self.population:
            raise ConfigError(
                f"--migrants must be smaller than the population of {self.population}, got {self.migration.migrants}"
            )
        if (
            self.algorithm == GA
            and self.breeding.selection == "tournament"
            and self.breeding.tournament_size > self.population
        ):
            raise ConfigError(
                f"--tournament-size must be at most the population of {self.population}, "
                f"got {self.breeding.tournament_size}"
            )

    def agreement(self) -> dict[str, Value]:
        """Return what all islands of a pool must have alike, beside seed and task: the mode, and what it rests on."""
        if self.migration.mode != LOCKSTEP:
            return {"mode": self.migration.mode}
        settings = self.settings()
        return {name: settings[name] for name in ("mode", "members", "migrate_every", "generations", "migrants")}

    def settings(self) -> dict[str, Value]:
        """Return the named settings, flat, as the log records them: without those of other algorithms."""
        foreign = all_own_settings() - {*own_settings(self.algorithm)}
        return {
            name: value
            for part in (self, self.breeding, self.strategy, self.migration)
            for name, value in recorded(part).items()
            if name not in foreign
        }


def former_settings() -> dict[str, Value]:
    """Return the settings that are not recorded, with what islands do that have no record of them."""
    return {name: former(field) for name, field in all_settings().items() if field.metadata["former"] is not None}


def all_settings() -> dict[str, dataclasses.Field[Any]]:
    """Return every named setting of an island, in the order of the help."""
    return {
        field.name: field for kind in (IslandConfig, Migration, Breeding, Strategy) for field in setting_fields(kind)
    }


def island_config(island: str, values: Mapping[str, Value], options: Mapping[str, str]) -> IslandConfig:
    """Make an island's config from flat settings; ConfigError if a name is unknown or a value not allowed."""
    known = all_settings()
    for name, value in values.items():
        if name not in known:
            raise ConfigError(f"unknown setting {name!r}{suggest(name, known)}; known are {', '.join(known)}")
        if known[name].metadata["is_open"] and value == 0:
            raise ConfigError(f"{flag_name(name)} must be at least {known[name].metadata['low']}, got {value}")
    values = {**values, "algorithm": _algorithm(values)}
    return _make(
        IslandConfig,
        values,
        island=island,
        options=tuple(sorted(options.items())),
        breeding=_make(Breeding, values),
        strategy=_make(Strategy, values),
        migration=_make(Migration, values),
    )


def _algorithm(values: Mapping[str, Value]) -> Value:
    """Return the algorithm that is meant: who gives a setting of the genetic algorithm alone means that one."""
    algorithm = values.get("algorithm", AUTO)
    if algorithm == AUTO and any(name in OWN_SETTINGS[GA] for name in values):
        algorithm = GA
    check_own_settings(str(algorithm), values)
    return algorithm


def as_started(config: IslandConfig, recorded: Mapping[str, Any]) -> IslandConfig:
    """Return a config with the earlier defaults that an island goes on with, by what its checkpoint recorded.

    A default that has changed since is for islands that begin; one who repeats a command means what it meant.
    """
    parts: dict[str, Any] = {
        name: _as_started(getattr(config, name), recorded) for name in ("breeding", "strategy", "migration")
    }
    return _as_started(dataclasses.replace(config, **parts), recorded)


def _as_started(part: T, recorded: Mapping[str, Any]) -> T:
    earlier = {
        field.name: field.metadata["changed_from"]
        for field in setting_fields(type(part))
        if getattr(part, field.name) == field.default
        and recorded.get(field.name, former(field)) == field.metadata["changed_from"]
    }
    return dataclasses.replace(part, **earlier)  # type: ignore[type-var]


def _make(kind: type[T], values: Mapping[str, Value], **others: object) -> T:
    named = {field.name: values[field.name] for field in setting_fields(kind) if field.name in values}
    return kind(**named, **others)


def read_config_file(path: Path, island: str, *, shared: Path | None = None) -> Section:
    """Read what a file sets for one island: `[defaults]`, overridden by `[<island>]`.

    Every section is checked, the other islands' too, so that a slip is found by the first island that starts. A file in
    the `shared` directory may not name code to run, since others may write there.

    Raises:
        ConfigError: The file cannot be read or parsed, or holds anything but known names in tables.
    """
    if island == DEFAULTS:
        raise ConfigError(f"an island that reads {path} cannot be called {DEFAULTS!r}, as a section of it is")
    sections = {name: _section(path, name, table) for name, table in _document(path).items()}
    (common, common_options), (own, own_options) = (sections.get(name, ({}, {})) for name in (DEFAULTS, island))
    values, options = common | own, common_options | own_options
    programs = {name: str(values[name]) for name in NAMES_OF_CODE if runs_code(str(values.get(name, "")))}
    if programs and shared and path.resolve().is_relative_to(shared.resolve()):
        named = ", ".join(f"{name} {value!r}" for name, value in programs.items())
        flags = " ".join(f"{flag_name(name)} {value}" for name, value in programs.items())
        raise ConfigError(
            f"{path} lies where others may write, and names a program: {named}; if you trust it, take it out of "
            f"there and say {flags}"
        )
    return values, options


def _document(path: Path) -> dict[str, Any]:
    import tomllib  # noqa: PLC0415 - whoever has no file need not wait for it

    try:
        return tomllib.loads(text_of(path.read_bytes()))
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot read the config file {path}: {error}") from error


def text_of(data: bytes) -> str:
    """Return the text that a user's editor saved, without the mark that some put first; ValueError if not UTF-8."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        coding = "UTF-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "another encoding"
        raise ValueError(f"it is in {coding}; save it as UTF-8 ({error})") from error


def _section(path: Path, name: str, table: object) -> Section:
    if not isinstance(table, dict):
        raise ConfigError(f"{path}: {name!r} stands outside a section; put it under [{DEFAULTS}] or [<island>]")
    if name != DEFAULTS:
        check_island_name(name)
        if name.lower() in MISSPELT:
            raise ConfigError(f"{path}: [{name}] is no section, did you mean [{DEFAULTS}]?")
    settings = {key: value for key, value in table.items() if key != OPTIONS}
    known = all_settings()
    for key in settings:
        if key not in known:
            raise ConfigError(
                f"{path}: [{name}] has an unknown setting {key!r}{suggest(key, [*known, OPTIONS])}; "
                f"known are {', '.join(known)}, and a table {OPTIONS!r}"
            )
    return settings, _options(path, name, table.get(OPTIONS, {}))


def _options(path: Path, name: str, table: object) -> dict[str, str]:
    if not isinstance(table, dict):
        raise ConfigError(f"{path}: [{name}.{OPTIONS}] must be a table of plain values")
    options: dict[str, str] = {}
    for key, value in table.items():
        if isinstance(value, list):
            raise ConfigError(f"{path}: [{name}.{OPTIONS}] must be a table of plain values, and {key} is a list")
        if isinstance(value, dict):  # make.gravity = -5 in TOML is a table within the table
            options |= {f"{key}.{inner}": text for inner, text in _options(path, name, value).items()}
        else:
            options[key] = spelled(value)
    return options

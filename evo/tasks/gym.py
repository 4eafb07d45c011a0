"""`--task gym:CartPole-v1`: a small neural network for each genome, in an environment of Gymnasium.

    observation [I] --W1, b1, tanh--> hidden [H] --W2, b2--> outputs [O] --> action

The networks of all individuals are computed at once: element by element in float32, in one stated order and without a
matrix product, so that an output depends on no neighbour. The largest output says the action (Discrete), or each is
squashed into its bounds (Box). Episodes start from seeds that are a function of environment, generation and episode
alone. What a pair `make.NAME` says is an argument of the environment, and part of the problem.

Source: Towers et al. 2024, "Gymnasium: a standard interface for reinforcement learning environments".
"""

from __future__ import annotations

import contextlib
import importlib.util
import sys
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from atoll.evo.errors import ConfigError, TaskError
from atoll.evo.genome import Floats, GenomeSpec, Segment
from atoll.evo.rng import stream
from atoll.evo.settings import check, option_name, setting
from atoll.evo.user_code import describe_error, own_package_note, undone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from types import ModuleType

    from numpy.typing import NDArray

    from atoll.evo.tasks.task import OptionValue

LANES = 64  # environments that are alive at a time
MAX_INPUTS = 1024
WEIGHT = 3.0  # the largest, either way
MAKE = "make."
"""What the options begin with that are arguments of the environment."""


@dataclass(frozen=True)
class GymOptions:
    """Options of an environment."""

    hidden: int = setting(8, "units of the network's one hidden layer", low=1, high=256)
    episodes: int = setting(
        5, "episodes per evaluation; the fitness is the mean of their total rewards", low=1, high=1000
    )
    max_steps: int = setting(
        0, "steps after which an episode ends; 0 leaves that to the environment", low=0, high=1_000_000
    )

    def __post_init__(self) -> None:
        check(self, spell=option_name)


class GymTask:
    """An environment as a task: its id and arguments are those of `gymnasium.make`; ConfigError if it is not usable."""

    backend = "gymnasium"

    def __init__(
        self, environment: str, options: GymOptions, arguments: Mapping[str, OptionValue] = MappingProxyType({})
    ) -> None:
        gymnasium = _gymnasium()
        _find_module(environment)
        self.name = f"gym:{environment}"
        self.build = f"gymnasium {gymnasium.__version__}"
        self.options = asdict(options) | {f"{MAKE}{name}": value for name, value in arguments.items()}
        self._episodes = options.episodes
        self._make: Callable[[], Any] = partial(_make, gymnasium, environment, options.max_steps, dict(arguments))
        self._lanes = [self._make()]
        self._n_inputs = _count_inputs(gymnasium, self._lanes[0])
        n_outputs, self._actions = _actions(gymnasium, self._lanes[0])
        self.spec = network_spec(self._n_inputs, options.hidden, n_outputs)

    def evaluate(self, genes: Floats, episode: int) -> Floats:
        """Return the mean total reward of each genome over this generation's episodes, float32 [P]; see `rewards`."""
        seeds = stream(0, self.name, episode, "episodes").integers(2**31, size=self._episodes)
        total = np.zeros(len(genes))
        for reward in self.rewards(genes, seeds.tolist()).T:
            total += reward
        return (total / len(seeds)).astype(np.float32)

    def rewards(self, genes: Floats, seeds: Sequence[int]) -> NDArray[np.float64]:
        """Return the total reward of each genome in the episode of each seed, [P, len(seeds)].

        Raises:
            TaskError: The environment failed, or paid rewards that are no finite numbers.
        """
        chunks = [genes[i : i + LANES] for i in range(0, len(genes), LANES)]
        return np.concatenate([np.stack([self._run_episode(part, seed) for seed in seeds], axis=1) for part in chunks])

    def _run_episode(self, genes: Floats, seed: int) -> NDArray[np.float64]:
        """Run one episode with each genome, [P]."""
        self._lanes += [self._make() for _ in range(len(genes) - len(self._lanes))]
        networks = Networks(genes, self.spec)
        try:
            with undone():
                total = self._episode(networks, len(genes), seed)
        except (KeyboardInterrupt, TaskError):
            raise
        except BaseException as error:  # whatever an environment raises
            raise TaskError(f"{self.name}: {describe_error(error)} (in the episode of seed {seed})") from error
        if not np.isfinite(total).all():
            raise TaskError(f"{self.name}: rewards must add up to a finite number, got {total[~np.isfinite(total)][0]}")
        return total

    def _episode(self, networks: Networks, n: int, seed: int) -> NDArray[np.float64]:
        seen = np.zeros((self._n_inputs, n), dtype=np.float32)
        total = np.zeros(n)
        for lane in range(n):
            seen[:, lane] = np.ravel(self._lanes[lane].reset(seed=seed)[0])
        living = list(range(n))
        while living:
            actions = self._actions(self._outputs(networks, seen, living))
            going_on = []
            for lane in living:
                observation, reward, is_over, is_cut, _ = self._lanes[lane].step(actions[lane])
                seen[:, lane] = np.ravel(observation)
                total[lane] += reward
                if not (is_over or is_cut):
                    going_on.append(lane)
            living = going_on
        return total

    def _outputs(self, networks: Networks, seen: Floats, living: Sequence[int]) -> Floats:
        """Return the networks' outputs [O, P] for what they see [I, P]; TaskError if a living one's are not finite."""
        with np.errstate(over="ignore", invalid="ignore"):
            outputs = networks.outputs(seen)
        is_told = np.isfinite(seen[:, living]).all(axis=0) & np.isfinite(outputs[:, living]).all(axis=0)
        if not is_told.all():
            values = seen[:, living][:, ~is_told][:, 0]
            got = values[np.argmax(np.where(np.isnan(values), np.inf, np.abs(values)))]
            raise TaskError(f"{self.name}: observations must be finite, and small enough for float32; got {got:g}")
        return outputs


def network_spec(inputs: int, hidden: int, outputs: int) -> GenomeSpec:
    """Return the genome of a network."""
    sizes = {"w1": inputs * hidden, "b1": hidden, "w2": hidden * outputs, "b2": outputs}
    return GenomeSpec(tuple(Segment(name, size, -WEIGHT, WEIGHT) for name, size in sizes.items()))


class Networks:
    """The networks of P genomes [P, D], laid out with the genome last."""

    def __init__(self, genes: Floats, spec: GenomeSpec) -> None:
        def part(name: str) -> Floats:
            return np.ascontiguousarray(genes[:, spec.slice_of(name)].T)

        self._b1, self._b2 = part("b1"), part("b2")
        self._w1 = part("w1").reshape(-1, *self._b1.shape)  # [I, H, P]
        self._w2 = part("w2").reshape(-1, *self._b2.shape)  # [H, O, P]

    def outputs(self, inputs: Floats) -> Floats:
        """Return the outputs [O, P] for inputs [I, P]."""
        hidden = np.tanh(_layer(self._w1, self._b1, inputs))
        return _layer(self._w2, self._b2, hidden)


def _gymnasium() -> ModuleType:
    try:
        import gymnasium  # noqa: PLC0415 - an extra that takes half a second to import
    except ImportError as error:
        raise ConfigError(
            f"--task gym:... needs Gymnasium, which cannot be imported ({error}); pip install 'atoll[gym]'"
        ) from error
    return gymnasium


def _find_module(environment: str) -> None:
    """Let a module be found that lies in the working directory, as what lies beside a user's file is."""
    module, colon, _ = environment.partition(":")
    if not colon:
        return
    here = "the working directory"
    with contextlib.suppress(OSError):  # somebody has removed it
        here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)  # last: it hides nothing that is installed
    try:
        is_there = importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        is_there = False
    except Exception:
        return  # whatever the package around it raises is told when it is imported
    if not is_there:
        raise ConfigError(
            f"--task gym:{environment}: No module named {module!r} among what is installed, in PYTHONPATH or in "
            f"{here}{own_package_note(module)}"
        )


def _make(gymnasium: ModuleType, environment: str, max_steps: int, arguments: Mapping[str, OptionValue]) -> Any:  # noqa: ANN401 - an optional library's type
    try:
        made = gymnasium.make(environment, max_episode_steps=max_steps or None, disable_env_checker=True, **arguments)
    except Exception as error:  # whatever an environment raises
        raise ConfigError(f"--task gym:{environment}: {describe_error(error)}") from error
    if made.spec.max_episode_steps is None:
        raise ConfigError(f"gym:{environment} has no end of its own; say when an episode ends, as in -o max_steps=1000")
    return made


def _count_inputs(gymnasium: ModuleType, environment: Any) -> int:  # noqa: ANN401
    space = environment.observation_space
    if not isinstance(space, gymnasium.spaces.Box):
        raise ConfigError(f"gym:{environment.spec.id} has observations of {space}; supported is Box")
    n = int(np.prod(space.shape))
    if not 1 <= n <= MAX_INPUTS:
        raise ConfigError(
            f"gym:{environment.spec.id} has {n} numbers in an observation; supported are 1 to {MAX_INPUTS}"
        )
    return n


def _actions(gymnasium: ModuleType, environment: Any) -> tuple[int, Callable[[Floats], Sequence[Any]]]:  # noqa: ANN401
    """Return how many outputs there are, and what makes them [O, P] into P actions."""
    space = environment.action_space
    if isinstance(space, gymnasium.spaces.Discrete):
        return int(space.n), lambda outputs: (int(space.start) + outputs.argmax(axis=0)).tolist()
    if not isinstance(space, gymnasium.spaces.Box) or not np.isfinite([space.low, space.high]).all():
        raise ConfigError(
            f"gym:{environment.spec.id} has actions of {space}; supported are Discrete and Box with bounds"
        )
    middle, reach = (space.high + space.low) / 2, (space.high - space.low) / 2

    def squash(outputs: Floats) -> Sequence[Any]:
        squashed = np.tanh(outputs).T.reshape(-1, *space.shape)
        actions: Sequence[Any] = np.clip(middle + reach * squashed, space.low, space.high).astype(space.dtype)
        return actions

    return int(np.prod(space.shape)), squash


def _layer(weights: Iterable[Floats], bias: Floats, inputs: Floats) -> Floats:
    total = bias.copy()
    for weight, value in zip(weights, inputs, strict=True):
        total += weight * value
    return total

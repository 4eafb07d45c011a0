"""An environment is a task: the same episodes for everybody, scores that depend on the genome alone, clear refusals."""

import importlib
import sys

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete, MultiDiscrete
from hypothesis import given
from hypothesis import strategies as st

from atoll.evo.errors import ConfigError, TaskError
from atoll.evo.tasks.gym import LANES, GymOptions, GymTask, Networks, network_spec
from atoll.evo.tasks.loader import load_task
from atoll.evo.tasks.task import task_identity
from tests.contracts import broken_promises
from tests.strategies import seeds

CARTPOLE = "CartPole-v1"


def gym_task(environment=CARTPOLE, **options):
    return GymTask(environment, GymOptions(**options))


def genomes(task, n, seed=1):
    return task.spec.sample(np.random.default_rng(seed), n)


class Probe(gymnasium.Env):
    """Shows its seed and the step, pays what it is told to, remembers what was done to it."""

    observation_space = Box(-1, 1, (2, 2), dtype=np.float32)
    action_space = Discrete(3, start=5)
    reward = 1.0
    fails_at = -1
    shows = None

    def __init__(self, **settings):
        for name, value in settings.items():
            setattr(self, name, value)
        self.acts = []

    def reset(self, *, seed=None, options=None):  # noqa: ARG002
        super().reset(seed=seed)
        self.acts.append(("reset", seed))
        self.step_number = 0
        shown = self.np_random.random() if self.shows is None else self.shows
        return np.full(self.observation_space.shape, shown, dtype=np.float32), {}

    def step(self, action):
        self.acts.append(action)
        self.step_number += 1
        if self.step_number == self.fails_at:
            raise ValueError("it fell\nover")
        assert self.action_space.contains(action), action
        seen = np.full(self.observation_space.shape, self.np_random.random(), dtype=np.float32)
        return seen, self.reward, self.step_number >= 4, False, {}


@pytest.fixture
def probe():
    """Return a function that registers a Probe and says its name."""
    names = []

    def registered(max_episode_steps=100, **settings):
        names.append(f"Probe{len(names)}-v0")
        gymnasium.register(names[-1], Probe, max_episode_steps=max_episode_steps, kwargs=settings)
        return names[-1]

    yield registered
    for name in names:
        del gymnasium.registry[name]


def acts_of(task, lane=0):
    return task._lanes[lane].unwrapped.acts


@pytest.mark.parametrize("environment", [CARTPOLE, "Pendulum-v1", "MountainCarContinuous-v0", "Acrobot-v1"])
def test_keeps_the_contract_of_every_task(environment):
    assert broken_promises(gym_task(environment, episodes=2, max_steps=40)) == []


def test_more_individuals_than_lanes_are_lived_in_parts():
    task = gym_task(episodes=1, max_steps=12)
    genes = genomes(task, LANES + 3)
    scores = task.evaluate(genes, 0)
    np.testing.assert_array_equal(task.evaluate(genes[LANES:], 0), scores[LANES:])
    assert len(task._lanes) == LANES


def test_everybody_gets_the_same_episodes_and_each_generation_others(probe):
    task = gym_task(probe(), episodes=3)
    task.evaluate(genomes(task, 4), 7)
    seeds = [[act[1] for act in acts_of(task, lane) if isinstance(act, tuple)] for lane in range(4)]
    assert seeds == [seeds[0]] * 4
    assert len(set(seeds[0])) == 3
    another_island = gym_task(task.name.removeprefix("gym:"), episodes=3)
    another_island.evaluate(genomes(task, 1, seed=2), 7)
    another_island.evaluate(genomes(task, 1, seed=2), 8)
    told = [act[1] for act in acts_of(another_island) if isinstance(act, tuple)]
    assert told[:3] == seeds[0]
    assert not {*told[3:]} & {*told[:3]}


def test_the_score_is_the_mean_reward_over_the_episodes(probe):
    task = gym_task(probe(reward=1.5), episodes=3)
    genes = genomes(task, 2)
    assert task.evaluate(genes, 0).tolist() == [6.0, 6.0]
    assert task.rewards(genes, [1, 2, 3]).tolist() == [[6.0] * 3] * 2


def test_an_episode_ends_after_max_steps(probe):
    assert gym_task(probe(), max_steps=2).rewards(np.zeros((1, 75), np.float32), [1]).tolist() == [[2.0]]
    assert gym_task(probe(max_episode_steps=3)).rewards(np.zeros((1, 75), np.float32), [1]).tolist() == [[3.0]]


def test_the_largest_output_says_the_action_and_actions_may_start_anywhere(probe):
    task = gym_task(probe(), episodes=1)
    genes = np.zeros((3, task.spec.size), np.float32)
    genes[:, task.spec.slice_of("b2")] = np.eye(3)
    task.evaluate(genes, 0)
    assert [acts_of(task, lane)[1] for lane in range(3)] == [5, 6, 7]


def test_outputs_are_squashed_into_the_bounds_of_the_actions(probe):
    space = Box(np.array([[-2.0, 0.0]], np.float32), np.array([[1.0, 8.0]], np.float32))
    task = gym_task(probe(action_space=space), episodes=1)
    genes = np.zeros((3, task.spec.size), np.float32)
    genes[:, task.spec.slice_of("b2")] = np.array([[-3.0, 3.0], [0.0, 0.0], [3.0, -3.0]])
    task.evaluate(genes, 0)
    low_high, middle, high_low = (acts_of(task, lane)[1] for lane in range(3))
    np.testing.assert_allclose(middle, [[-0.5, 4.0]])
    np.testing.assert_allclose(low_high, [[-2.0, 8.0]], atol=0.03)
    np.testing.assert_allclose(high_low, [[1.0, 0.0]], atol=0.03)


def test_a_champion_is_tried_on_episodes_of_ones_own_choice():
    task = gym_task()
    genes = genomes(task, 3)
    rewards = task.rewards(genes, [11, 12])
    np.testing.assert_array_equal(task.rewards(genes[2:], [12])[:, 0], rewards[2:, 1])


def test_options_and_build_say_what_it_is():
    task = gym_task(hidden=3)
    assert task.options == {"hidden": 3, "episodes": 5, "max_steps": 0}
    assert task.name == "gym:CartPole-v1"
    assert task.build == f"gymnasium {gymnasium.__version__}"
    assert task.spec.size == 4 * 3 + 3 + 3 * 2 + 2


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"observation_space": Discrete(4)}, r"has observations of Discrete\(4\); supported is Box"),
        ({"observation_space": Box(0, 1, (40, 40))}, "has 1600 numbers in an observation; supported are 1 to 1024"),
        ({"action_space": MultiDiscrete([2, 2])}, "has actions of MultiDiscrete.*supported are Discrete and Box"),
        ({"action_space": Box(-np.inf, np.inf, (2,))}, "has actions of Box.*supported are Discrete and Box with b"),
    ],
)  # fmt: skip
def test_a_space_that_is_not_supported_is_refused_with_those_that_are(probe, settings, words):
    with pytest.raises(ConfigError, match=words):
        gym_task(probe(**settings))


def test_an_environment_without_an_end_asks_for_max_steps(probe):
    name = probe(max_episode_steps=None)
    with pytest.raises(ConfigError, match="say when an episode ends, as in -o max_steps=1000"):
        gym_task(name)
    assert gym_task(name, max_steps=3)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("CartPoole-v1", "Did you mean: `CartPole`"),
        ("CartPole-v99", "v99"),
        ("no_such_module:X-v0", "No module named 'no_such_module'"),
        ("", "Malformed environment ID"),
    ],
)
def test_an_environment_that_does_not_exist_is_refused_in_one_line(name, words):
    with pytest.raises(ConfigError) as refusal:
        load_task(f"gym:{name}", {})
    assert words in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_without_gymnasium_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "gymnasium", None)
    with pytest.raises(ConfigError, match=r"pip install 'atoll\[gym\]'"):
        gym_task()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_reward_that_is_no_number_breaks_the_contract(probe, value):
    task = gym_task(probe(reward=value))
    with pytest.raises(TaskError, match=r"rewards must add up to a finite number, got (nan|inf)"):
        task.evaluate(genomes(task, 2), 0)


def test_an_environment_that_fails_breaks_the_contract_in_one_line(probe):
    task = gym_task(probe(fails_at=2))
    with pytest.raises(TaskError, match=r"ValueError: it fell over \(in the episode of seed \d+\)"):
        task.evaluate(genomes(task, 2), 0)


@pytest.mark.parametrize("option", [{"hidden": 0}, {"hidden": 257}, {"episodes": 0}, {"max_steps": -1}], ids=str)
def test_an_option_without_sense_is_refused(option):
    with pytest.raises(ConfigError, match=f"-o {next(iter(option))} must be at"):
        GymOptions(**option)


# Environments of one's own, and arguments


OWN = """
import gymnasium
from gymnasium.envs.classic_control.pendulum import PendulumEnv

gymnasium.register("Own-v0", PendulumEnv, max_episode_steps=5)
"""


@pytest.fixture
def beside(tmp_path, monkeypatch):
    """A module that registers an environment, in the working directory."""
    monkeypatch.setattr(sys, "path", [each for each in sys.path if each])
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own_of_this_test.py").write_text(OWN)
    yield tmp_path
    sys.modules.pop("own_of_this_test", None)
    gymnasium.registry.pop("Own-v0", None)


def test_a_module_in_the_working_directory_is_found_and_hides_nothing(beside):
    (beside / "wave.py").write_text("raise RuntimeError('not the one of the standard library')\n")
    assert load_task("gym:own_of_this_test:Own-v0", {}).spec.size > 0
    assert sys.path[-1] == str(beside)
    sys.modules.pop("wave", None)
    importlib.import_module("wave")


@pytest.mark.parametrize("module", ["nowhere_at_all", "nowhere_at_all.envs"])
def test_a_module_that_is_not_there_is_said_to_have_been_looked_for_where_it_was(beside, module):
    with pytest.raises(ConfigError, match=f"No module named '{module}' among what is installed, .* or in {beside}"):
        load_task(f"gym:{module}:Own-v0", {})


def test_a_module_in_a_package_of_our_own_name_is_said_to_be_ours():
    with pytest.raises(ConfigError, match="atoll is Atoll's own package here; rename yours"):
        load_task("gym:atoll.my_environments:Own-v0", {})


def test_arguments_reach_the_environment_and_are_part_of_the_problem(probe):
    given = {"make.reward": "2.5", "make.fails_at": "-1", "make.word": "a-b", "make.on": "true", "episodes": "1"}
    task = load_task(f"gym:{probe()}", given)
    made = task._lanes[0].unwrapped
    assert (made.reward, made.fails_at, made.word, made.on) == (2.5, -1, "a-b", True)
    assert task.evaluate(genomes(task, 2), 0).tolist() == [10.0, 10.0]
    arguments = {"make.reward": 2.5, "make.fails_at": -1, "make.word": "a-b", "make.on": True}
    assert task_identity(task)["options"] == {"hidden": 8, "episodes": 1, "max_steps": 0, **arguments}
    assert len(given) == len(arguments) + 1


def test_options_that_were_recorded_make_the_same_environment(probe):
    name = f"gym:{probe()}"
    given = {"make.reward": "1e-3", "make.fails_at": "-1", "make.word": "1.0.0", "make.on": "False"}
    options = load_task(name, given).options
    texts = {key: str(value).lower() if isinstance(value, bool) else str(value) for key, value in options.items()}
    assert load_task(name, texts).options == options


@pytest.mark.parametrize(
    ("option", "text", "told"),
    [
        ("make.gravitas", "1", "unexpected keyword argument 'gravitas'"),
        ("make.max_episode_steps", "4", "max_episode_steps"),
        ("make.g-g", "1", "an argument's name is letters, digits and _, got 'g-g'"),
        ("make.g", "inf", "-o make.g must be a finite number"),
        ("make.g", "9007199254740993", "within 2\\^53"),
        ("g", "1", "known are hidden, episodes, max_steps, make.NAME for an argument"),
    ],
)
def test_an_argument_that_cannot_be_given_is_named_in_one_line(option, text, told):
    with pytest.raises(ConfigError, match=told) as refused:
        load_task("gym:Pendulum-v1", {option: text})
    assert "\n" not in str(refused.value)


def test_only_environments_have_arguments():
    with pytest.raises(ConfigError, match=r"task sphere has no option 'make\.g'"):
        load_task("sphere", {"make.g": "1"})


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_observations_that_no_network_can_compute_with_are_a_mistake_of_the_environment(probe, value):
    task = gym_task(probe(shows=value))
    with pytest.raises(TaskError, match="observations must be finite") as refusal:
        task.evaluate(genomes(task, 3), 0)
    assert f"got {np.float32(value):g}" in str(refusal.value)


def test_observations_that_are_huge_are_computed_with_without_a_warning(probe):
    task = gym_task(probe(shows=1e38))
    assert np.isfinite(task.evaluate(genomes(task, 3), 0)).all()


sizes = st.integers(1, 9)


def population(seed, n, inputs, hidden, outputs):
    """Return genomes and what each is shown."""
    rng = np.random.default_rng(seed)
    spec = network_spec(inputs, hidden, outputs)
    return spec, spec.sample(rng, n), rng.normal(size=(inputs, n)).astype(np.float32)


@given(seeds, st.integers(1, 20), sizes, sizes, sizes)
def test_it_is_two_layers_with_a_tanh_between(seed, n, inputs, hidden, outputs):
    spec, genes, shown = population(seed, n, inputs, hidden, outputs)
    assert spec.size == (inputs + 1) * hidden + (hidden + 1) * outputs
    got = Networks(genes, spec).outputs(shown)
    assert (got.shape, got.dtype) == ((outputs, n), np.dtype(np.float32))
    for i, genome in enumerate(genes.astype(np.float64)):
        w1 = genome[spec.slice_of("w1")].reshape(inputs, hidden)
        w2 = genome[spec.slice_of("w2")].reshape(hidden, outputs)
        inner = np.tanh(shown[:, i] @ w1 + genome[spec.slice_of("b1")])
        np.testing.assert_allclose(got[:, i], inner @ w2 + genome[spec.slice_of("b2")], atol=1e-3)


@given(seeds, st.integers(2, 20), sizes, sizes, sizes)
def test_an_output_depends_on_neither_place_nor_neighbours(seed, n, inputs, hidden, outputs):
    spec, genes, shown = population(seed, n, inputs, hidden, outputs)
    together = Networks(genes, spec).outputs(shown)
    alone = [Networks(genes[i : i + 1], spec).outputs(shown[:, i : i + 1]) for i in range(n)]
    assert np.concatenate(alone, axis=1).tobytes() == together.tobytes()
    assert Networks(genes[::-1], spec).outputs(shown[:, ::-1]).tobytes() == together[:, ::-1].tobytes()


@given(seeds, sizes, sizes, sizes)
def test_without_weights_it_says_its_bias_whatever_it_is_shown(seed, inputs, hidden, outputs):
    spec, genes, shown = population(seed, 4, inputs, hidden, outputs)
    genes[:, spec.slice_of("w2")] = 0
    np.testing.assert_array_equal(Networks(genes, spec).outputs(shown), genes[:, spec.slice_of("b2")].T)

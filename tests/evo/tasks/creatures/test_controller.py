"""Controllers: actions stay within bounds and are computed as the text says."""

import numpy as np
import pytest

from atoll.evo.genome import GenomeSpec
from atoll.evo.tasks.creatures.controller import CONTROLLERS, HIDDEN, INPUTS, SENSES
from atoll.evo.tasks.creatures.world import MUSCLES


@pytest.fixture(params=["neural", "oscillator"])
def controller(request):
    return CONTROLLERS[request.param]


def weights_of(controller, n=50):
    return GenomeSpec(controller.segments).sample(np.random.default_rng(3), n).T


def senses(n=50, scale=10.0):
    return (np.random.default_rng(4).normal(size=(SENSES, n)) * scale).astype(np.float32)


def test_actions_are_float32_within_one(controller):
    for time_s in (0.0, 0.1, 29.9):
        action = controller.act(weights_of(controller), senses(scale=100.0), time_s)
        assert action.dtype == np.float32
        assert action.shape == (MUSCLES, 50)
        assert np.all(np.abs(action) <= 1)


def test_actions_change_with_the_senses_and_with_time(controller):
    weights = weights_of(controller)
    action = controller.act(weights, senses(), 0.1)
    assert not np.array_equal(action, controller.act(weights, senses(), 0.2))
    assert not np.array_equal(action, controller.act(weights, -senses(), 0.1))


def test_neural_is_the_network_that_its_genes_describe():
    weights, seen, time_s = weights_of(CONTROLLERS["neural"]), senses(scale=1.0), 0.7
    spec = GenomeSpec(CONTROLLERS["neural"].segments)
    part = {segment.name: weights[spec.slice_of(segment.name)].astype(np.float64) for segment in spec.segments}
    angle = 2 * np.pi * part["clock_hz"][0] * time_s
    inputs = np.concatenate([seen, [np.cos(angle), np.sin(angle)]])
    hidden = part["hidden_bias"] + np.einsum("iul,il->ul", part["hidden_weight"].reshape(INPUTS, HIDDEN, -1), inputs)
    hidden = np.tanh(hidden)
    output = np.einsum("hml,hl->ml", part["output_weight"].reshape(HIDDEN, MUSCLES, -1), hidden)
    expected = np.tanh(part["output_bias"] + output)
    np.testing.assert_allclose(CONTROLLERS["neural"].act(weights, seen, time_s), expected, atol=2e-3)


def test_oscillator_swings_at_its_own_frequency_and_phase():
    weights, seen, time_s = weights_of(CONTROLLERS["oscillator"]), senses(scale=1.0), 0.7
    spec = GenomeSpec(CONTROLLERS["oscillator"].segments)
    part = {segment.name: weights[spec.slice_of(segment.name)].astype(np.float64) for segment in spec.segments}
    drive = np.einsum("sml,sl->ml", part["swing_weight"].reshape(SENSES, MUSCLES, -1), seen)
    turns = part["frequency_hz"] * time_s + part["phase_turns"]
    expected = np.tanh(part["swing_bias"] + drive) * np.cos(2 * np.pi * turns)
    np.testing.assert_allclose(CONTROLLERS["oscillator"].act(weights, seen, time_s), expected, atol=2e-3)

"""Words say what the numbers are."""

import numpy as np
import pytest

from atoll.evo.tasks.creatures import body
from atoll.evo.tasks.creatures.fitness import score
from atoll.evo.tasks.creatures.options import CreatureOptions
from atoll.evo.tasks.creatures.task import Creatures
from atoll.scripts.report import describe


@pytest.fixture(params=["neural", "oscillator"])
def creatures(request):
    return Creatures(CreatureOptions(courses=2, life_s=2.0, controller=request.param), backend="reference")


def test_a_body_is_counted(creatures):
    genes = creatures.spec.sample(np.random.default_rng(3), 40)
    bodies = body.decode(genes, creatures.spec)
    for i in np.flatnonzero(bodies.viable)[:5]:
        text = describe.describe_body(creatures, genes[i])
        assert text.startswith(f"{(bodies.reach_m[:, i] > 0).sum()} nodes")
        assert f"joined by {(bodies.stiffness_n_m[:, i] > 0).sum()} muscles" in text
        assert creatures.options["controller"] in describe.describe_controller(creatures, genes[i])
    dead = np.flatnonzero(~bodies.viable)[0]
    assert "does not hold together" in describe.describe_body(creatures, genes[dead])
    assert describe.describe_muscles(creatures, genes[dead]) == "none"


def test_terms_add_up_to_the_score(creatures):
    genes = creatures.spec.sample(np.random.default_rng(3), 40)
    alive = genes[body.decode(genes, creatures.spec).viable][:1]
    lives = creatures.live(alive)
    assert sum(points for _, points, _ in describe.describe_fitness(lives)) == pytest.approx(
        float(score(lives)[0]), abs=1e-4
    )

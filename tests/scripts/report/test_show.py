"""Champions are told of in plain words, simulated again exactly, and refused where they are damaged."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from atoll.evo import arrayfile
from atoll.evo.errors import ConfigError, DamagedFileError
from atoll.evo.paths import SharedPaths
from atoll.evo.tasks.creatures import body
from atoll.evo.tasks.creatures.fitness import score
from atoll.evo.tasks.creatures.task import CreatureOptions, Creatures
from atoll.scripts.commands import group as cli
from atoll.scripts.report import champion as champions
from atoll.scripts.report import show
from atoll.scripts.report.show import find, simulate_again, tell_of
from tests.processes import atoll, check_refused

if TYPE_CHECKING:
    from pathlib import Path


pytestmark = pytest.mark.slow


def shown(*arguments: object) -> str:
    ended = CliRunner().invoke(cli.cli, ["show", *map(str, arguments)], catch_exceptions=False)
    assert ended.exit_code == 0, ended.output
    return ended.output


def change(path: Path, **metadata: object) -> None:
    arrays, before = arrayfile.decode(path.read_bytes())
    path.write_bytes(arrayfile.encode(arrays, before | metadata))


def test_a_champion_is_told_of_with_terms_that_add_up_to_its_fitness(archipelago):
    text = shown("reef-b", "--migration-dir", archipelago, "--check")
    told = json.loads(shown("reef-b", "--migration-dir", archipelago, "--check", "--json"))
    for word in ("nodes", "muscles", "controller: neural", "audit: it walks", "exactly as recorded"):
        assert word in text
    assert sum(points for _, points, _ in told["terms"]) == pytest.approx(told["fitness"], abs=1e-3)
    assert told["simulated"] == told["fitness"] == told["audit"]["trained_fitness"]
    assert sum(told["ancestry"].values()) == pytest.approx(1)


def test_a_fitness_that_is_not_what_was_recorded_is_said_with_exit_code_11(copy):
    path = SharedPaths(copy).island("reef-a").champion
    right = champions.read(path).fitness
    change(path, fitness=right + 0.5)
    ended = atoll("show", path, "--check")
    check_refused(ended, 11, repr(right), repr(right + 0.5))
    assert "not what was recorded" in ended.stdout
    assert atoll("show", path).returncode == 0  # who does not ask is not told


def test_a_walk_is_drawn_as_an_animation_and_as_a_sheet(archipelago, tmp_path):
    gif, png = tmp_path / "walk.gif", tmp_path / "walk.png"
    text = shown("reef-c", "--migration-dir", archipelago, "--gif", gif, "--png", png, "--course", "trained")
    assert f"wrote {gif}" in text
    with Image.open(gif) as moving:
        assert moving.n_frames == 120  # six seconds, twenty a second
        assert moving.info["duration"] == 50
        first = moving.convert("RGB").tobytes()
        moving.seek(60)
        assert moving.convert("RGB").tobytes() != first
    assert png.read_bytes().startswith(b"\x89PNG")


def test_what_cannot_be_found_or_read_is_refused_in_one_line(copy, tmp_path):
    shared = SharedPaths(copy)
    shared.island("reef-a").champion.unlink()
    with pytest.raises(ConfigError, match="no champion yet"):
        find("reef-a", shared)
    check_refused(atoll("show", "nobody", "--migration-dir", copy), 2, "nobody")
    damaged = tmp_path / "champion.safetensors"
    data = bytearray(shared.island("reef-b").champion.read_bytes())
    data[-7] ^= 1
    damaged.write_bytes(data)
    check_refused(atoll("show", damaged), 9, "checksum")
    check_refused(atoll("show", "reef-b", "--migration-dir", copy, "--gif", tmp_path / "walk.png"), 2, ".gif file")
    check_refused(atoll("show", "reef-b", "--migration-dir", copy, "--png", tmp_path / "walk"), 2, ".png file")
    assert list(tmp_path.glob("walk*")) == []
    with pytest.raises(DamagedFileError, match="expected a champion"):
        champions.read(next(shared.island("reef-b").checkpoints.glob("gen-*.safetensors")))


def test_a_champion_of_another_version_is_not_taken_for_one_of_this(copy):
    path = SharedPaths(copy).island("reef-a").champion
    task = dict(champions.read(path).task)
    for changes, word in (
        ({"genome_sha256": "0"}, "another version"),
        ({"genome_sha256": None}, "another version"),
        ({"options": {"wings": 2}}, "does not know"),
        ({"options": task["options"] | {"courses": 0}}, "courses"),
    ):
        change(path, task=task | changes)
        with pytest.raises(ConfigError, match=word):
            champions.creatures_of(champions.read(path))


@pytest.mark.parametrize(
    ("change_genes", "words"),
    [
        (lambda genes: genes[:, :3], "got 3"),
        (lambda genes: genes[:, :-1], "genes, got"),
        (lambda genes: np.tile(genes, 2), "genes, got"),
        (lambda genes: genes + 1e9, "outside its bounds"),
        (lambda genes: genes * np.float32("nan"), "outside its bounds"),
    ],
)
def test_a_genome_that_its_task_cannot_read_is_not_simulated(archipelago, tmp_path, change_genes, words):
    arrays, metadata = arrayfile.decode(SharedPaths(archipelago).island("reef-a").champion.read_bytes())
    genes = np.ascontiguousarray(change_genes(arrays["genes"]), np.float32)
    path = tmp_path / "champion.safetensors"
    path.write_bytes(arrayfile.encode({"genes": genes, "ancestry": np.zeros(genes.shape, np.uint16)}, metadata))
    champion = champions.read(path)
    for look in (champions.creatures_of, partial(simulate_again, task=None)):
        with pytest.raises(ConfigError, match=words):
            look(champion)


def test_only_the_user_can_name_a_program(tmp_path):
    source = tmp_path / "mine.py"
    source.write_text("def points(gene):\n    return float(-(gene**2).sum())\n\n\npoints.bounds = [(-1.0, 1.0)] * 3\n")
    root = tmp_path / "shared"
    task = f"{source}:points"
    started = atoll("evolve", "a", "-p", "6", "-g", "2", "--migrants", "1", "--task", task, "--migration-dir", root)
    if started.returncode:
        pytest.fail(started.stderr)
    check_refused(atoll("show", "a", "--migration-dir", root, "--check"), 2, "if you trust it, name it too")
    ended = atoll("show", "a", "--migration-dir", root, "--check", "--task", task)
    assert ended.returncode == 0, ended.stderr
    assert "exactly as recorded" in ended.stdout


def test_a_champion_without_a_body_is_told_of_and_checked(tmp_path):
    root = tmp_path / "shared"
    assert atoll("evolve", "a", "-p", "6", "-g", "2", "--task", "sphere", "--migration-dir", root).returncode == 0
    text = shown("a", "--migration-dir", root, "--check")
    assert "task sphere" in text
    assert "exactly as recorded" in text
    check_refused(atoll("show", "a", "--migration-dir", root, "--gif", tmp_path / "x.gif"), 2, "creatures")
    check_refused(atoll("show", "a", "--migration-dir", root, "--check", "--task", "ackley"), 2, "leave out --task")
    path = SharedPaths(root).island("a").champion
    change(path, task=dict(champions.read(path).task) | {"genome_sha256": "0"})
    check_refused(atoll("show", path, "--check"), 2, "laid out for another task")


def test_simulating_again_is_the_evaluation_itself(archipelago):
    champion = champions.read(SharedPaths(archipelago).island("reef-a").champion)
    assert simulate_again(champion, task=None) == champion.fitness
    assert tell_of.__module__ == "atoll.scripts.report.show"


@pytest.mark.parametrize("segments", [7, [3], [["a"]], [["a", "b"]]])
def test_a_champion_with_a_nonsensical_layout_is_damaged(copy, segments):
    path = SharedPaths(copy).island("reef-a").champion
    change(path, task=dict(champions.read(path).task) | {"segments": segments})
    with pytest.raises(DamagedFileError, match="no champion that can be read"):
        champions.read(path)


@pytest.fixture(params=["neural", "oscillator"])
def creatures(request):
    return Creatures(CreatureOptions(courses=2, life_s=2.0, controller=request.param), backend="reference")


def test_a_body_is_counted(creatures):
    genes = creatures.spec.sample(np.random.default_rng(3), 40)
    bodies = body.decode(genes, creatures.spec)
    for i in np.flatnonzero(bodies.viable)[:5]:
        text = show.describe_body(creatures, genes[i])
        assert text.startswith(f"{(bodies.reach_m[:, i] > 0).sum()} nodes")
        assert f"joined by {(bodies.stiffness_n_m[:, i] > 0).sum()} muscles" in text
        assert creatures.options["controller"] in show.describe_controller(creatures, genes[i])
    dead = np.flatnonzero(~bodies.viable)[0]
    assert "does not hold together" in show.describe_body(creatures, genes[dead])
    assert show.describe_muscles(creatures, genes[dead]) == "none"


def test_terms_add_up_to_the_score(creatures):
    genes = creatures.spec.sample(np.random.default_rng(3), 40)
    alive = genes[body.decode(genes, creatures.spec).viable][:1]
    lives = creatures.simulate(alive)
    assert sum(points for _, points, _ in show.describe_fitness(lives)) == pytest.approx(
        float(score(lives)[0]), abs=1e-4
    )

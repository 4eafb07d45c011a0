"""A checkpoint is the state that was saved, or it is refused and an older one is used."""

import contextlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll.evo import arrayfile, checkpoint
from atoll.evo.checkpoint import Checkpoint
from atoll.evo.errors import DamagedFileError, FencedError, ResumeError
from atoll.evo.generation import MigrationSchedule
from atoll.evo.paths import SharedPaths
from tests.evo.lives import configured
from tests.problems import MIXED
from tests.strategies import evaluated, painted, seeds, specs

SETTINGS = {"population": 6, "seed": 1, "generations": 50, "backend": "auto", "mutation_rate": 0.01, "task": "hill"}
SETTINGS |= {"options": {"courses": 8, "life_s": 30.0}}


def at(generation, seed=0):
    """Return a checkpoint of one generation."""
    return Checkpoint(evaluated(MIXED, 6, seed=seed, generation=generation), SETTINGS, "test")


@pytest.fixture
def paths(tmp_path):
    return SharedPaths(tmp_path).island("island-01")


def kept(paths):
    return sorted(path.name for path in paths.checkpoints.iterdir())


@given(specs(), seeds, st.integers(1, 10))
def test_what_is_saved_is_read_back_and_saved_again_alike(spec, seed, n):
    saved = Checkpoint(evaluated(spec, n, seed=seed), SETTINGS, "test")
    data = checkpoint.encode(saved)
    loaded = checkpoint.decode(data)
    assert checkpoint.encode(loaded) == data
    for name in ("genes", "ancestry", "islands"):
        np.testing.assert_array_equal(getattr(loaded.state.population, name), getattr(saved.state.population, name))
    np.testing.assert_array_equal(loaded.state.fitness, saved.state.fitness)
    assert loaded.state.fitness.dtype == np.float32
    assert loaded.state.counts == saved.state.counts
    assert loaded.state.champion.fitness == saved.state.champion.fitness
    assert loaded.state.champion.generation == saved.state.champion.generation
    assert (loaded.settings, loaded.backend, loaded.state.generation) == (SETTINGS, "test", saved.state.generation)


def test_a_part_of_a_checkpoint_is_none():
    data = checkpoint.encode(at(3))
    for n in range(len(data)):
        with pytest.raises(DamagedFileError):
            checkpoint.decode(data[:n])


@given(st.data())
def test_a_flipped_bit_never_changes_what_is_resumed(data):
    whole = checkpoint.encode(at(3))
    place = data.draw(st.integers(0, 8 * len(whole) - 1))
    changed = bytearray(whole)
    changed[place // 8] ^= 1 << place % 8
    with contextlib.suppress(DamagedFileError):
        assert checkpoint.encode(checkpoint.decode(bytes(changed))) == whole


@given(st.sampled_from([*range(1, 5)]), st.data())
def test_an_intact_file_of_another_shape_is_damaged(how, data):
    arrays, metadata = arrayfile.decode(checkpoint.encode(at(3)))
    if how == 1:
        del arrays[data.draw(st.sampled_from(sorted(arrays)))]
    elif how == 2:
        del metadata[data.draw(st.sampled_from(sorted(set(metadata) - {"format", "pace"})))]
    elif how == 3:
        metadata["kind"] = data.draw(st.sampled_from(["champion", None, 3]))
    else:
        name = data.draw(st.sampled_from(["islands", "champion", "counts", "pace"]))
        metadata[name] = data.draw(st.sampled_from([None, 3, {"unknown": 1}]) if name != "islands" else st.just(3))
    with pytest.raises(DamagedFileError):
        checkpoint.decode(arrayfile.encode(arrays, metadata))


def test_a_champion_is_no_checkpoint(tmp_path):
    checkpoint.save_champion(tmp_path / "champion", at(3).state.champion, island="island-01", task={})
    with pytest.raises(DamagedFileError, match="expected a checkpoint, got 'champion'"):
        checkpoint.decode((tmp_path / "champion").read_bytes())


def test_none_is_found_where_there_is_none(paths):
    assert checkpoint.load_newest(paths) is None
    paths.checkpoints.mkdir(parents=True)
    (paths.checkpoints / ".tmp-gen-3.safetensors-1-abcd").write_bytes(b"torn")
    (paths.checkpoints / "gen-03.safetensors").write_bytes(b"not ours")
    assert checkpoint.load_newest(paths) is None


def test_the_newest_two_are_kept_in_the_order_of_numbers(paths):
    for generation in (8, 9, 10, 100):
        checkpoint.save(paths, at(generation))
        assert checkpoint.load_newest(paths).state.generation == generation
    assert kept(paths) == ["gen-10.safetensors", "gen-100.safetensors"]


def test_saving_one_again_changes_nothing(paths):
    for _ in range(2):
        checkpoint.save(paths, at(3))
    assert kept(paths) == ["gen-3.safetensors"]
    assert paths.checkpoint(3).read_bytes() == checkpoint.encode(at(3))


@pytest.mark.parametrize("damage", [lambda data: data[:-1], lambda _: b"", lambda data: data[:-1] + b"\xaa"])
def test_the_older_one_is_used_when_the_newest_is_damaged(paths, damage):
    for generation in (10, 20):
        checkpoint.save(paths, at(generation))
    newest = paths.checkpoint(20)
    newest.write_bytes(damage(newest.read_bytes()))
    assert checkpoint.load_newest(paths).state.generation == 10
    checkpoint.save(paths, at(13))
    assert checkpoint.load_newest(paths).state.generation == 13
    checkpoint.save(paths, at(20))
    assert checkpoint.load_newest(paths).state.generation == 20


def test_when_all_are_damaged_each_is_named_and_nothing_is_started_anew(paths):
    for generation in (10, 20):
        checkpoint.save(paths, at(generation))
        paths.checkpoint(generation).write_bytes(b"gone")
    with pytest.raises(ResumeError, match=r"gen-20\.safetensors: .*gen-10\.safetensors: .*--fresh"):
        checkpoint.load_newest(paths)


def test_another_format_is_not_skipped_for_an_older_checkpoint(paths):
    checkpoint.save(paths, at(10))
    arrays, metadata = arrayfile.decode(checkpoint.encode(at(20)))
    paths.checkpoint(20).write_bytes(arrayfile.encode(arrays, metadata | {"format": 2}))
    with pytest.raises(ResumeError, match="format 2, this version of Atoll reads format 1"):
        checkpoint.load_newest(paths)


def test_a_failure_to_save_leaves_the_older_ones(paths, monkeypatch):
    for generation in (10, 20):
        checkpoint.save(paths, at(generation))

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("atoll.evo.atomic._write_all", full)
    with pytest.raises(OSError, match="No space"):
        checkpoint.save(paths, at(30))
    assert kept(paths) == ["gen-10.safetensors", "gen-20.safetensors"]


def test_checkpoints_and_champions_survive_a_power_cut(paths, tmp_path, monkeypatch):
    checkpoint.save(paths, at(2))  # makes the directories, whose names are synced too
    synced = []
    monkeypatch.setattr("atoll.evo.atomic.sync_directory", synced.append)
    checkpoint.save(paths, at(3))
    checkpoint.save_champion(tmp_path / "c", at(3).state.champion, island="island-01", task={})
    assert synced == [paths.checkpoints, tmp_path]


def test_the_same_settings_go_on_and_so_does_a_longer_run():
    checkpoint.check_settings(at(3), SETTINGS)
    checkpoint.check_settings(checkpoint.decode(checkpoint.encode(at(3))), SETTINGS | {"generations": 90})
    checkpoint.check_settings(at(3), SETTINGS | {"backend": "test"})
    checkpoint.check_settings(at(3), SETTINGS | {"device": "cuda:1"})


@given(st.sets(st.sampled_from(sorted(set(SETTINGS) - {"generations", "backend"})), min_size=1))
def test_every_changed_setting_is_named_with_both_values(names):
    changed = {name: {"courses": 1} if name == "options" else "other" for name in names}
    with pytest.raises(ResumeError) as refusal:
        checkpoint.check_settings(at(3), SETTINGS | changed)
    text = str(refusal.value)
    for name in SETTINGS:
        assert (f"{name} was {SETTINGS[name]!r}, now " in text) == (name in names)
    assert "--fresh" in text


def test_a_setting_that_came_or_went_is_named():
    with pytest.raises(ResumeError, match="new was None, now 3"):
        checkpoint.check_settings(at(3), SETTINGS | {"new": 3})
    with pytest.raises(ResumeError, match="seed was 1, now None"):
        checkpoint.check_settings(at(3), {name: value for name, value in SETTINGS.items() if name != "seed"})


def test_a_setting_that_an_older_version_did_not_know_had_its_default():
    recorded = configured(duplicates="accept").settings()
    older = {name: value for name, value in recorded.items() if name not in {"replacement", "duplicates"}}
    kept = replace(at(3), settings=older)
    checkpoint.check_settings(kept, recorded)
    with pytest.raises(ResumeError, match="replacement was 'worst', now 'random'"):
        checkpoint.check_settings(kept, recorded | {"replacement": "random"})


def test_a_checkpoint_of_an_older_version_says_nothing_of_an_interval():
    state = replace(at(3).state, schedule=MigrationSchedule(2, 8))
    data = checkpoint.encode(replace(at(3), state=state))
    assert checkpoint.decode(data).state.schedule == MigrationSchedule(2, 8)
    arrays, metadata = arrayfile.decode(data)
    del metadata["pace"]
    assert checkpoint.decode(arrayfile.encode(arrays, metadata)).state.schedule == MigrationSchedule()


def test_another_evaluator_is_named():
    with pytest.raises(ResumeError, match="--backend was 'test', now 'native'"):
        checkpoint.check_settings(at(3), SETTINGS | {"backend": "native"})


def test_a_champions_file_holds_all_that_is_needed_to_simulate_it(tmp_path):
    champion = at(3).state.champion
    task = {"name": "hill", "options": {"height": 1.0}}
    checkpoint.save_champion(tmp_path / "c", champion, island="island-01", task=task)
    arrays, metadata = arrayfile.decode((tmp_path / "c").read_bytes())
    np.testing.assert_array_equal(arrays["genes"], champion.individual.genes)
    names = np.asarray(metadata["islands"])[arrays["ancestry"]]
    np.testing.assert_array_equal(names, np.asarray(champion.individual.islands)[champion.individual.ancestry])
    assert metadata["task"] == task
    assert (metadata["island"], metadata["fitness"], metadata["generation"]) == ("island-01", champion.fitness, 3)


def test_a_champions_file_does_not_tell_how_large_the_islands_table_has_grown(tmp_path):
    """A checkpoint stores one table for all, so a resumed champion's is longer than one that was never stored."""
    champion = at(3).state.champion
    few = painted(MIXED, 1, seed=4, islands=("a", "b"))
    files = []
    for islands in (("a", "b"), ("a", "b", "unrelated")):
        individual = replace(few, islands=islands)
        checkpoint.save_champion(tmp_path / "c", replace(champion, individual=individual), island="a", task={})
        files.append((tmp_path / "c").read_bytes())
    assert files[0] == files[1]


def test_an_earlier_one_can_be_gone_back_to_and_is_then_the_newest(paths):
    for generation in (10, 20):
        checkpoint.save(paths, at(generation))
    assert checkpoint.kept(paths) == [10, 20]
    assert checkpoint.load_newest(paths, at_most=19).state.generation == 10
    assert checkpoint.load_newest(paths, at_most=20).state.generation == 20
    assert checkpoint.load_newest(paths, at_most=9) is None
    checkpoint.drop(paths, [20])
    assert checkpoint.kept(paths) == [10]
    checkpoint.save(paths, at(15))
    assert checkpoint.kept(paths) == [10, 15]


def test_who_was_taken_over_drops_nothing(paths):
    checkpoint.save(paths, at(10))

    def stop():
        raise FencedError("taken over")

    with pytest.raises(FencedError):
        checkpoint.drop(paths, [10], before_commit=stop)
    assert checkpoint.kept(paths) == [10]


def test_how_long_to_wait_may_change():
    before = replace(at(10), settings={**SETTINGS, "lockstep_timeout_s": 60.0})
    checkpoint.check_settings(before, {**SETTINGS, "lockstep_timeout_s": 600.0})

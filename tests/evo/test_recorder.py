"""The files of an island say what it did, however its run was cut."""

from dataclasses import replace

import pytest

from atoll.evo import atomic, checkpoint, moments, runlog
from atoll.evo.errors import FencedError, StorageError
from atoll.evo.island import evolve
from atoll.evo.paths import SharedPaths
from atoll.evo.recorder import FileRecorder, recorded_settings
from atoll.evo.records import Start, to_json
from tests.evo.lives import Memory, configured, disk, live, never, stopping_after
from tests.problems import Weather


class Folder:
    """An island with a real `FileRecorder`, and the exchange of these tests."""

    def __init__(self, root):
        self.paths = SharedPaths(root).island("island-01")
        self.seen = []
        self._disk = disk()

    def live(self, config, *, is_stopping=never):
        task = Weather()
        noted = recorded_settings(config, task)
        recorder = FileRecorder(self.paths, config=config, task=task, settings=noted, observe=self.seen.append)
        with atomic.storage_errors("read the checkpoint"):
            newest = checkpoint.load_newest(self.paths)
        if newest:
            checkpoint.check_settings(newest, noted)
        resumed = newest.state if newest else None
        recorder.start(Start(epoch=len(self.seen) + 1, generation=resumed.generation if resumed else 0, pid=7))
        return evolve(
            config, task, exchange=Memory(self._disk), recorder=recorder, resumed=resumed, is_stopping=is_stopping
        )

    def files(self):
        """Return what must not depend on how the run was cut into processes."""
        lines = [r for r in runlog.current(runlog.read(self.paths.log)) if r["kind"] == "generation"]
        lines = [{name: value for name, value in line.items() if name != "time"} for line in lines]
        newest = max(self.paths.checkpoints.iterdir(), key=lambda path: path.name)
        moments = {path.name: path.read_bytes() for path in self.paths.all_moments.glob("gen-*")}
        return lines, self.paths.champion.read_bytes(), newest.name, newest.read_bytes(), moments


@pytest.mark.parametrize("stops", [(2,), (3, 2, 4), (5,), (9,), (1, 1, 1), (12,)])
def test_the_files_of_an_island_do_not_show_how_its_run_was_cut(tmp_path, stops):
    whole, cut = Folder(tmp_path / "whole"), Folder(tmp_path / "cut")
    whole.live(configured())
    for stop in stops:
        cut.live(configured(), is_stopping=stopping_after(stop))
    cut.live(configured())
    assert cut.files() == whole.files()


def test_the_log_has_a_start_line_and_one_line_per_generation_and_is_shown_as_it_is_written(tmp_path):
    folder = Folder(tmp_path)
    config = configured(champion_episodes=0)
    state = folder.live(config)
    records = runlog.read(folder.paths.log)
    assert records == [to_json(record) for record in folder.seen]
    first, *rest = records
    assert (first["kind"], first["epoch"], first["generation"], first["pid"]) == ("start", 1, 0, 7)
    assert first["settings"] == recorded_settings(config, Weather())
    assert [record["generation"] for record in rest] == [*range(14)]
    for record in rest:
        assert record["worst"] <= record["median"] <= record["best"] <= record["champion"]
        assert record["worst"] <= record["mean"] <= record["best"]
        assert abs(sum(record["ancestry"].values()) - 1) < 1e-9
        assert record["time"].keys() == {"unix_s", "evaluate_s", "scored"}
        assert record["time"]["scored"] == 7, "a task that may be stochastic is asked about all"
        assert 1 <= record["distinct"] <= 7
    assert (rest[-1]["evaluations"], rest[-1]["imports"]) == (state.counts.evaluations, state.counts.imports)


def test_the_log_tells_the_population_of_generations_that_have_another_than_the_island_began_with(tmp_path):
    folder = Folder(tmp_path)
    state, _ = live(configured())
    n = len(state.population)
    for config, noted in ((configured(), None), (configured(population=n - 1, migrants=1), n)):
        recorder = FileRecorder(folder.paths, config=config, task=Weather(), settings={}, observe=folder.seen.append)
        recorder.start(Start(generation=0))
        recorder.log(state, evaluate_s=0.0)
        assert folder.seen[-1].population == noted
        assert ("population" in runlog.read(folder.paths.log)[-1]) == (noted is not None)


def test_a_start_mends_the_line_that_a_crash_tore(tmp_path):
    folder = Folder(tmp_path)
    folder.live(configured(), is_stopping=stopping_after(4))
    with folder.paths.log.open("ab") as log:
        log.write(b'{"kind":"gener')
    folder.live(configured())
    assert [record["kind"] for record in runlog.read(folder.paths.log)].count("start") == 2


def test_the_two_newest_checkpoints_are_kept(tmp_path):
    folder = Folder(tmp_path)
    folder.live(configured())
    assert sorted(path.name for path in folder.paths.checkpoints.iterdir()) == [
        "gen-12.safetensors",
        "gen-13.safetensors",
    ]


def test_the_moments_of_every_generation_are_kept_that_has_a_checkpoint_wherever_a_run_is_cut(tmp_path):
    """Migrations come every 4 generations, other checkpoints every 3; a stop and the last generation add none."""
    folder = Folder(tmp_path)
    folder.live(configured(), is_stopping=stopping_after(5))
    folder.live(configured())
    found = {moments.decode(path.read_bytes()).individuals for path in folder.paths.all_moments.iterdir()}
    assert found == {configured().population}
    names = {path.name for path in folder.paths.all_moments.iterdir()}
    assert names == {f"gen-{g}.safetensors" for g in (3, 4, 6, 8, 9, 12)}


def test_no_checkpoint_is_there_before_its_moments(tmp_path):
    """So a run that was killed between the two has both in the end: it lives the generation again."""
    folder = Folder(tmp_path)
    folder.paths.all_moments.parent.mkdir(parents=True)
    folder.paths.all_moments.write_bytes(b"a file where a directory belongs")
    with pytest.raises(StorageError, match="cannot write the moments"):
        folder.live(configured())
    assert not folder.paths.checkpoints.exists()


@pytest.mark.parametrize("in_the_way", ["home", "checkpoints", "log", "champion"])
def test_a_refusing_file_system_is_a_storage_error(tmp_path, in_the_way):
    folder = Folder(tmp_path)
    obstacle = getattr(folder.paths, in_the_way)
    if in_the_way in {"home", "checkpoints"}:
        obstacle.parent.mkdir(parents=True)
        obstacle.write_bytes(b"a file where a directory belongs")
    else:
        (obstacle / "full").mkdir(parents=True)
    with pytest.raises(StorageError, match="cannot "):
        folder.live(configured())


@pytest.mark.parametrize("write", ["checkpoint", "champion", "log"])
def test_nothing_is_written_into_a_folder_that_is_another_process_s_by_now(tmp_path, write):
    """The last look comes after all else: also what was half written by then does not appear."""
    folder = Folder(tmp_path)
    folder.live(configured())
    state = replace(live(configured())[0], generation=12)  # one of which moments are kept
    before = contents(tmp_path)

    def stop():
        raise FencedError

    task = Weather()
    config = configured()
    recorder = FileRecorder(folder.paths, config=config, task=task, settings={}, observe=pytest.fail, check_owner=stop)
    with pytest.raises(FencedError):
        getattr(recorder, write)(state, **({"evaluate_s": 0.0} if write == "log" else {}))
    assert contents(tmp_path) == before


def contents(place):
    return {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}

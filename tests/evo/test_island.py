"""However a run is cut into processes, what it computes and offers is the same, in an order that survives a kill."""

import itertools
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evo import atomic, checkpoint, runlog, selection
from evo.checkpoint import Checkpoint
from evo.config import island_config
from evo.errors import StorageError
from evo.genome import Migrants, Population
from evo.island import FileKeeper, evolve, recorded_settings, task_identity
from evo.paths import SharedPaths
from tests.problems import MIXED, Hill, Weather

ROOT = Path(__file__).parents[2]


class KilledError(Exception):
    """The process ends here."""


def never():
    """Hear no signal."""
    return False


@dataclass
class Disk:
    """What outlives a process, and the order in which it got there.

    Attributes:
        effects: What was done, in order.
        checkpoint: The newest one, as bytes.
        log: Generation -> what its line says; a later line replaces an earlier one.
        offered: Generation -> the bytes on offer; the first stays.
        inbox: Generation -> the immigrants.
        settled: Generation -> what became of them.
        kill_at: The effect before which the process dies, if any.
    """

    effects: list
    checkpoint: bytes | None
    champion: bytes | None
    log: dict
    offered: dict
    inbox: dict
    settled: dict
    kill_at: int = -1

    def note(self, *effect):
        if len(self.effects) == self.kill_at:
            raise KilledError
        self.effects.append(effect)


def disk():
    return Disk([], None, None, {}, {}, {}, {})


class Memory:
    """A keeper and an exchange that write to a `Disk`."""

    def __init__(self, on, *, k=2):
        self._disk, self._k = on, k

    def checkpoint(self, state):
        self._disk.note("checkpoint", state.generation)
        self._disk.checkpoint = checkpoint.encode(Checkpoint(state, {}, "test"))

    def champion(self, state):
        self._disk.note("champion", state.generation)
        self._disk.champion = frozen(state.champion.individual.genes), state.champion.fitness, state.champion.generation

    def log(self, state, *, evaluate_s):
        assert evaluate_s >= 0
        self._disk.note("log", state.generation)
        self._disk.log[state.generation] = fingerprint(state)

    def emigrants(self, fitness):
        self._disk.note("emigrants", frozen(fitness))
        return selection.best(fitness, self._k)

    def publish(self, generation, emigrants):
        self._disk.note("publish", generation)
        batch = emigrants.ids, frozen(emigrants.population.genes), frozen(emigrants.fitness)
        assert self._disk.offered.setdefault(generation, batch) == batch, "a generation was offered with other genomes"
        return len(emigrants)

    def collect(self, generation, *, known, streams):
        self._disk.note("collect", generation)
        assert known[0] in {"island-01", "island-02"}
        self._disk.inbox.setdefault(generation, self._newcomers(generation, streams))
        return self._disk.inbox[generation]

    def displaced(self, fitness, n):
        return selection.worst(fitness, n)

    def settle(self, generation, arrivals, fitness, displaced):
        self._disk.note("settle", generation)
        assert len(arrivals.migrants) == len(fitness) == len(displaced)
        fate = frozen(fitness), frozen(displaced)
        assert self._disk.settled.setdefault(generation, fate) == fate

    def beat(self, generation):
        self._disk.note("beat", generation)

    def _newcomers(self, generation, streams):
        n = generation // 2 % 3
        genes = MIXED.sample(streams("import"), n)
        painted = np.full(genes.shape, generation % 2, dtype=np.uint16)
        population = Population(genes, painted, ("far", f"peer-{generation % 4}"))
        return Parcel(Migrants(population, np.zeros(n, np.float32), tuple(map(str, range(n)))), refused=generation % 2)


@dataclass(frozen=True)
class Parcel:
    migrants: Migrants
    refused: int


def frozen(array):
    return array.dtype.str, array.shape, array.tobytes()


def fingerprint(state):
    """Return all of a state as bytes."""
    return checkpoint.encode(Checkpoint(state, {}, ""))


def configured(island="island-01", **values):
    small = {"population": 7, "generations": 13, "migrants": 2, "migrate_every": 4, "checkpoint_every": 3}
    return island_config(island, {**small, "tournament_size": 3, "mutation_rate": 0.2, **values}, {})


def live(config, on=None, *, task=None, is_stopping=never, is_alone=False):
    """Run a process of an island until it stops; go on from the checkpoint on the disk."""
    on = disk() if on is None else on
    resumed = checkpoint.decode(on.checkpoint).state if on.checkpoint else None
    memory = Memory(on)
    state = evolve(
        config,
        Weather() if task is None else task,
        exchange=None if is_alone else memory,
        keeper=memory,
        resumed=resumed,
        is_stopping=is_stopping,
        clock=itertools.count().__next__,
    )
    return state, on


def stopping_after(n):
    """Return a signal that comes during the n-th generation of a process."""
    left = iter([False] * (n - 1))
    return lambda: next(left, True)


def outcome(on):
    """Return what outlives a run, whatever the number of its processes."""
    taken_in = {generation: frozen(parcel.migrants.population.genes) for generation, parcel in on.inbox.items()}
    return on.log, on.offered, taken_in, on.settled, on.champion


CONFIGS = [
    configured(),
    configured(migrate_every=1, checkpoint_every=1000),
    configured(migrate_every=3, generations=12),
    configured(topology="none"),
    configured(elite_share=0.0, selection="rank", crossover="sbx"),
]
STRAIGHT = [live(config) for config in CONFIGS]
RUNS = list(zip(CONFIGS, STRAIGHT, strict=True))


@pytest.mark.parametrize(("config", "run"), RUNS)
def test_generations_0_to_g_exist_and_each_is_logged_once_in_order(config, run):
    state, on = run
    assert [effect[1] for effect in on.effects if effect[0] == "log"] == [*range(config.generations + 1)]
    assert [effect[1] for effect in on.effects if effect[0] == "beat"] == [*range(config.generations + 1)]
    assert state.generation == config.generations
    assert on.log[config.generations] == fingerprint(state)


@pytest.mark.parametrize(("config", "run"), RUNS)
def test_genomes_cross_at_the_multiples_of_n_up_to_g_and_never_at_0(config, run):
    _, on = run
    n = config.migration.migrate_every
    due = [] if config.migration.is_off else [*range(n, config.generations + 1, n)]
    for kind in ("publish", "collect"):
        assert [effect[1] for effect in on.effects if effect[0] == kind] == due


@pytest.mark.parametrize(("config", "run"), RUNS)
def test_a_checkpoint_is_never_further_away_than_promised_and_the_last_state_has_one(config, run):
    _, on = run
    saved = [effect[1] for effect in on.effects if effect[0] == "checkpoint"]
    promised = {*range(config.checkpoint_every, config.generations + 1, config.checkpoint_every), config.generations}
    assert promised | set(on.offered) == set(saved)
    assert len(set(saved)) == len(saved)


def test_the_order_of_effects_is_the_one_that_survives_a_kill():
    """Emigrants are chosen, and the state saved, before another island is let in; what has a line is kept."""
    _, on = STRAIGHT[0]
    here = [effect[0] for effect in on.effects]
    begin = on.effects.index(("log", 7)) + 2
    assert here[begin : begin + 8] == [
        "checkpoint",
        "emigrants",
        "publish",
        "collect",
        "settle",
        "champion",
        "log",
        "beat",
    ]


def test_emigrants_are_the_island_as_it_was_before_the_import():
    _, on = STRAIGHT[0]
    for generation, (ids, genes, fitness) in on.offered.items():
        assert [name.split(":")[:2] for name in ids] == [["island-01", str(generation)]] * 2
        arrivals = on.inbox[generation].migrants.population.genes
        assert not set(chunks(genes)) & {row.tobytes() for row in arrivals}
        assert len(fitness[2]) == 2 * 4


def chunks(array):
    """Return the rows of a frozen array."""
    _, (n, _), data = array
    return [data[i * len(data) // n : (i + 1) * len(data) // n] for i in range(n)]


@pytest.mark.parametrize("is_alone", [False, True])
def test_everyone_is_evaluated_in_every_generation_elites_included(is_alone):
    task = Weather()
    config = configured(elite_share=0.4)
    _, on = live(config, task=task, is_alone=is_alone)
    whole = [(genes, episode) for genes, episode in task.asked if len(genes) == config.population]
    assert [episode for _, episode in whole] == [*range(config.generations + 1)]
    newcomers = [(len(genes), episode) for genes, episode in task.asked if len(genes) != config.population]
    brought = [(len(parcel.migrants), g) for g, parcel in on.inbox.items() if len(parcel.migrants)]
    assert newcomers == ([] if is_alone else brought)


def test_what_was_done_is_counted():
    state, on = STRAIGHT[0]
    imports = sum(len(parcel.migrants) for parcel in on.inbox.values())
    assert imports > 0
    assert state.counts.imports == imports
    assert state.counts.exports == 2 * len(on.offered)
    assert state.counts.refused == sum(parcel.refused for parcel in on.inbox.values())
    assert state.counts.evaluations == 7 * 14 + imports


def test_with_elites_on_a_deterministic_task_the_best_never_gets_worse():
    state, on = live(configured(generations=20), task=Hill())
    best = [checkpoint.decode(data).state.fitness.max() for data in on.log.values()]
    assert best == sorted(best)
    assert state.champion.fitness == best[-1]


@given(st.sampled_from(range(len(CONFIGS))), st.lists(st.integers(1, 6), max_size=5))
def test_stopped_anywhere_and_resumed_it_is_the_same_run(which, stops):
    config, on = CONFIGS[which], disk()
    for stop in stops:
        state, _ = live(config, on, is_stopping=stopping_after(stop))
        if state.generation == config.generations:
            break
        assert checkpoint.decode(on.checkpoint).state.generation == state.generation
    state, _ = live(config, on)
    assert fingerprint(state) == fingerprint(STRAIGHT[which][0])
    assert outcome(on) == outcome(STRAIGHT[which][1])


@given(st.sampled_from(range(len(CONFIGS))), st.data())
def test_killed_anywhere_and_restarted_it_is_the_same_run(which, data):
    config, on = CONFIGS[which], disk()
    for _ in range(data.draw(st.integers(1, 3))):
        on.effects.clear()
        on.kill_at = data.draw(st.integers(0, 90))
        try:
            live(config, on)
        except KilledError:
            continue
        break
    on.kill_at = -1
    state, _ = live(config, on)
    assert fingerprint(state) == fingerprint(STRAIGHT[which][0])
    assert outcome(on) == outcome(STRAIGHT[which][1])


@settings(max_examples=12)
@given(st.integers(1, 12))
def test_a_longer_run_continues_a_finished_one(first):
    config, on = configured(), disk()
    live(replace(config, generations=first), on)
    state, _ = live(config, on)
    assert fingerprint(state) == fingerprint(STRAIGHT[0][0])
    assert outcome(on) == outcome(STRAIGHT[0][1])


def test_a_target_that_is_behind_ends_at_once():
    config, on = configured(), disk()
    live(config, on)
    state, _ = live(replace(config, generations=5), on, is_stopping=stopping_after(3))
    assert state.generation == 13


@settings(max_examples=8)
@given(st.integers(0, 2**53))
def test_the_same_seed_gives_the_same_bytes(seed):
    config = configured(seed=seed, generations=5)
    assert fingerprint(live(config)[0]) == fingerprint(live(config)[0])


@pytest.mark.parametrize("other", [configured("island-02"), configured(seed=2)])
def test_another_name_or_seed_is_another_run(other):
    for generation in range(14):
        here, there = (checkpoint.decode(on.log[generation]).state for on in (STRAIGHT[0][1], live(other)[1]))
        assert here.population.genes.tobytes() != there.population.genes.tobytes()


@pytest.mark.parametrize("setting", [{"checkpoint_every": 1}, {"checkpoint_every": 1000}])
def test_how_often_it_is_saved_changes_nothing(setting):
    assert fingerprint(live(configured(**setting))[0]) == fingerprint(STRAIGHT[0][0])


def test_alone_is_the_same_as_with_migration_off():
    assert fingerprint(live(configured(), is_alone=True)[0]) == fingerprint(STRAIGHT[3][0])


class Folder:
    """An island with a real `FileKeeper`, and the exchange of these tests."""

    def __init__(self, root):
        self.paths = SharedPaths(root).island("island-01")
        self.seen = []
        self._disk = disk()

    def live(self, config, *, is_stopping=never):
        task = Weather()
        noted = recorded_settings(config, task)
        keeper = FileKeeper(self.paths, config=config, task=task, settings=noted, observe=self.seen.append)
        with atomic.storage_errors("read the checkpoint"):
            newest = checkpoint.load_newest(self.paths)
        if newest:
            checkpoint.check_settings(newest, noted)
        resumed = newest.state if newest else None
        keeper.start({"epoch": len(self.seen) + 1, "generation": resumed.generation if resumed else 0, "pid": 7})
        return evolve(
            config, task, exchange=Memory(self._disk), keeper=keeper, resumed=resumed, is_stopping=is_stopping
        )

    def files(self):
        """Return what must not depend on how the run was cut into processes."""
        lines = [r for r in runlog.current(runlog.read(self.paths.log)) if r["kind"] == "generation"]
        lines = [{name: value for name, value in line.items() if name != "time"} for line in lines]
        newest = max(self.paths.checkpoints.iterdir(), key=lambda path: path.name)
        return lines, self.paths.champion.read_bytes(), newest.name, newest.read_bytes()


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
    state = folder.live(configured())
    records = runlog.read(folder.paths.log)
    assert records == folder.seen
    first, *rest = records
    assert (first["kind"], first["epoch"], first["generation"], first["pid"]) == ("start", 1, 0, 7)
    assert first["settings"] == recorded_settings(configured(), Weather())
    assert [record["generation"] for record in rest] == [*range(14)]
    for record in rest:
        assert record["worst"] <= record["median"] <= record["best"] <= record["champion"]
        assert record["worst"] <= record["mean"] <= record["best"]
        assert abs(sum(record["ancestry"].values()) - 1) < 1e-9
        assert record["time"].keys() == {"unix_s", "evaluate_s"}
    assert (rest[-1]["evaluations"], rest[-1]["imports"]) == (state.counts.evaluations, state.counts.imports)


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


def test_a_task_is_its_name_options_and_layout():
    here = task_identity(Hill())
    assert here == task_identity(Hill())
    assert here != task_identity(Weather())
    assert {"name", "options", "genome_sha256"} <= here.keys()


def child(code):
    """Run `code` in a fresh interpreter; return its exit status and what it printed."""
    begin = "import signal, sys\nfrom evo.island import StopSignal\n"
    answer = subprocess.run([sys.executable, "-c", begin + code], capture_output=True, text=True, check=False, cwd=ROOT)
    return answer.returncode, answer.stdout.split(), answer.stderr


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_the_first_signal_asks_and_the_second_ends(name):
    number = getattr(signal, name)
    status, said, _ = child(
        f"with StopSignal() as stop:\n"
        f"    print(stop(), stop.received)\n"
        f"    signal.raise_signal({number})\n"
        f"    print(stop(), stop.received, flush=True)\n"
        f"    signal.raise_signal({number})\n"
        f"    print('still here')\n"
    )
    assert said == ["False", "0", "True", str(int(number))]
    assert status == -number


def test_any_second_signal_ends():
    status, said, _ = child(
        "with StopSignal():\n    signal.raise_signal(2)\n    signal.raise_signal(15)\n    print('still here')"
    )
    assert (status, said) == (-15, [])


def test_an_ignored_signal_stays_ignored_and_afterwards_all_is_as_before():
    """`nohup` and a shell's background jobs ignore signals for good reason."""
    status, said, trouble = child(
        "signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        "before = [signal.getsignal(n) for n in (1, 2, 15)]\n"
        "with StopSignal() as stop:\n"
        "    signal.raise_signal(signal.SIGHUP)\n"
        "    print(stop())\n"
        "    signal.raise_signal(signal.SIGTERM)\n"
        "    signal.raise_signal(signal.SIGHUP)\n"
        "    print(stop())\n"
        "print([signal.getsignal(n) for n in (1, 2, 15)] == before)\n"
    )
    assert (status, said, trouble) == (0, ["False", "True", "True"], "")


def test_a_signal_from_outside_ends_a_run_after_a_checkpoint(tmp_path):
    """The child evolves for ever; it is told to stop by a signal as soon as it has logged a generation."""
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from tests.evo.test_island import Folder, configured\n"
        "from evo.island import StopSignal\n"
        "class Loud(list):\n"
        "    def append(self, record):\n"
        "        super().append(record)\n"
        "        print(record['generation'], flush=True)\n"
        "folder = Folder(Path(sys.argv[1]))\n"
        "folder.seen = Loud()\n"
        "with StopSignal() as stop:\n"
        "    state = folder.live(configured(generations=10**9), is_stopping=stop)\n"
        "sys.exit(0 if state.generation < 10**9 else 1)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        said = [process.stdout.readline() for _ in range(5)]
        os.kill(process.pid, signal.SIGTERM)
        said += process.stdout.readlines()
    assert process.returncode == 0
    newest = checkpoint.load_newest(Folder(tmp_path).paths)
    assert newest.state.generation == int(said[-1])

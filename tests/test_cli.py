from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import click
import pytest
from click.testing import CliRunner

from atoll.evo import compiler
from atoll.evo.config import all_settings
from atoll.evo.errors import EXIT_CODES, NoMemoryError
from atoll.evo.settings import flag_name
from atoll.scripts.commands import group as cli
from atoll.scripts.commands.algorithms import algorithms
from atoll.scripts.commands.evolve import evolve
from atoll.scripts.commands.inspect import report
from atoll.scripts.commands.pool import pool
from atoll.scripts.commands.tasks import tasks
from atoll.scripts.view import table
from tests.processes import ROOT, atoll, called, check_refused, run, wait_until

if TYPE_CHECKING:
    from pathlib import Path

QUICK = ("-p", "20", "-g", "20", "--task", "sphere")
ALONE = {(name,) for name in cli.cli.list_commands(click.Context(cli.cli)) if name != "pool"}
GROUPS = {"algorithms": algorithms, "pool": pool, "tasks": tasks}
COMMANDS = sorted(ALONE | {(group, name) for group, within in GROUPS.items() for name in within.commands})


@pytest.fixture(scope="module")
def archipelago(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two finished islands."""
    root = tmp_path_factory.mktemp("shared")
    for name in ("island-01", "island-02"):
        ended = atoll("evolve", name, *QUICK, "--migration-dir", root)
        assert ended.returncode == 0, ended.stderr
    return root


def printed(*arguments: str) -> str:
    """Return what a command prints that needs no process of its own."""
    ended = CliRunner().invoke(cli.cli, arguments, catch_exceptions=False)
    assert ended.exit_code == 0
    return ended.stdout


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help_with_an_example(command: tuple[str, ...]) -> None:
    text = printed(*command, "--help")
    assert re.search(r"Examples?:\n +(python cli\.py|atoll) ", text)


def test_the_help_documents_every_exit_code() -> None:
    text = printed("--help")
    for code, meaning in EXIT_CODES.items():
        assert f"{code}  {meaning}" in text


def test_every_setting_has_a_flag() -> None:
    flags = {flag for option in evolve.params for flag in option.opts}
    assert {flag_name(name) for name in all_settings()} <= flags


def test_a_flag_takes_a_number_or_the_word_in_its_place(tmp_path: Path) -> None:
    tiny = ("-p", "8", "-g", "1", "--task", "sphere")
    for value, recorded in (("auto", "auto"), ("0.2", 0.2)):
        ended = called("evolve", "i", *tiny, "--mutation-rate", value, "--migration-dir", tmp_path / value)
        assert ended.returncode == 0
        start = json.loads((tmp_path / value / "islands/i/log.jsonl").read_text().splitlines()[0])
        assert start["settings"]["mutation_rate"] == recorded
    ended = called("evolve", "i", "--mutation-rate", "often", "--migration-dir", tmp_path / "s")
    check_refused(ended, 2, "--mutation-rate", "'often' is not a valid float or auto")


@pytest.mark.parametrize("command", ["--help", "algorithms", "status", "tail", "tasks"])
def test_looking_never_imports_torch(command: str, archipelago: Path) -> None:
    arguments = [command]
    if command in {"status", "tail"}:
        arguments += ["--migration-dir", str(archipelago)]
    if command == "tail":
        arguments += ["--no-follow"]
    loaded = run(sys.executable, "-X", "importtime", "cli.py", *arguments).stderr
    assert "| click" in loaded or "click\n" in loaded
    assert not re.search(r"\| +torch\b", loaded)


@pytest.mark.parametrize("command", ["--help", "algorithms"])
def test_the_help_imports_nothing_numeric(command: str) -> None:
    loaded = run(sys.executable, "-X", "importtime", "cli.py", command).stderr
    assert not re.search(r"\| +(numpy|rich|psutil)\b", loaded)


def test_a_look_at_islands_imports_nothing_numeric_and_no_locks(archipelago: Path) -> None:
    loaded = run(sys.executable, "-X", "importtime", "cli.py", "status", "--migration-dir", archipelago).stderr
    assert "| atoll.scripts.view.table" in loaded
    assert not re.search(r"\| +(numpy|filelock)\b", loaded)


def test_a_command_is_loaded_without_the_others() -> None:
    load = "import sys; from atoll.scripts.commands.group import cli; cli.get_command(None, 'tail')"
    names = run(sys.executable, "-c", f"{load}; print(*sys.modules)").stdout.split()
    loaded = {name.removeprefix("atoll.scripts.commands.") for name in names if "atoll.scripts.commands." in name}
    assert loaded == {"group", "inspect", "options"}


@pytest.mark.parametrize(("flags", "name"), [(["-m"], "python -m atoll"), (["-P", "-m"], "atoll")])
def test_a_hint_names_the_program_that_was_typed(flags: list[str], name: str, tmp_path: Path) -> None:
    nobody = ("tail", "nosuch", "--no-follow", "--migration-dir", tmp_path)
    ended = run(sys.executable, *flags, "atoll", *nobody, cwd=tmp_path, PYTHONPATH=str(ROOT / "src"))
    check_refused(ended, 2, f"'{name} status' lists them")


def test_a_line_that_is_completed_tries_no_output(tmp_path: Path) -> None:
    out = tmp_path / "no" / "page.html"
    parent = cli.cli.make_context("cli.py", [], resilient_parsing=True)  # else the command keeps other names of --help
    assert report.make_context("report", ["-o", str(out)], parent, resilient_parsing=True).params["out"] == out


def test_version_is_the_package_version() -> None:
    assert re.fullmatch(r"atoll, version \d+\.\d+\.\d+\n", printed("--version"))


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_for_the_installed_command(shell: str) -> None:
    script = printed("completion", shell)
    assert "_ATOLL_COMPLETE" in script
    if shell == "bash":
        subprocess.run(["bash", "-n"], input=script, text=True, check=True)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["a/b"], ["island name 'a/b'", "for example island-01"]),
        ([".."], ["island name '..'"]),
        (["two words"], ["island name 'two words'"]),
        (["x" * 300], ["island name", "1 to 64"]),
        (["locks"], ["island name 'locks'"]),
        (["i", "-p", "1"], ["--population must be at least 2, got 1"]),
        (["i", "-p", "20", "--migrants", "20"], ["--migrants must be smaller than the population of 20, got 20"]),
        (["i", "-g", "0"], ["--generations must be at least 1, got 0"]),
        (["i", "-g", "-3"], ["--generations must be at least 1, got -3"]),
        (["i", "-p", "many"], ["'many' is not a valid integer", "evolve --help"]),
        (["i", "--task", "spher"], ["unknown task 'spher'", "did you mean 'sphere'", "rastrigin"]),
        (["i", "--task", "sphere", "-o", "dimension=3"], ["no option 'dimension'", "did you mean 'dimensions'"]),
        (["i", "--task", "sphere", "-o", "dimensions=x"], ["must be of type int, got 'x'"]),
        (["i", "--task", "sphere", "-o", "dimensions"], ["NAME=VALUE"]),
        (["i", "--task", "sphere", "--backend", "cuda"], ["no --backend 'cuda'", "numpy"]),
        (["i", "--task", "sphere", "--device", "cuda:0"], ["leave out --device cuda:0"]),
        (["i", "--device", "0"], ["--device must be cuda:N"]),
        (["i", "--backend", "native", "--device", "cuda:0"], ["goes with --backend cuda or auto", "--backend native"]),
        (["i", "--topology", "mesh"], ["--topology must be one of full, ring, two-way-ring, star, random-K"]),
        (["i", "--replacement", "best"], ["'best' is not one of 'worst', 'random', 'most-similar', 'only-if-better'"]),
        (["i", "--keep-generations", "1"], ["at least 3"]),
        (["i", "--mode", "lockstep"], ["--mode lockstep and --members go together"]),
        (["i", "--mode", "lockstep", "--members", "a,b"], ["i is not among a,b"]),
        (["i", "--mode", "replay"], ["--mode replay needs --replay-from"]),
        (
            ["i", "--mode", "replay", "--replay-from", "no", "-g", "3"],
            ["the recording decides: leave out --generations"],
        ),
        (["i", "--mode", "replay", "--replay-from", "missing"], ["nothing to replay in missing"]),
        (["i", "--config", "missing.toml"], ["cannot read the config file missing.toml"]),
    ],
)
def test_a_wrong_setting_is_refused_in_one_line(arguments: list[str], words: list[str], tmp_path: Path) -> None:
    check_refused(called("evolve", *arguments, "--migration-dir", tmp_path / "s"), 2, *words)
    assert not (tmp_path / "s").exists()


def test_a_misspelt_key_of_the_config_file_is_named_with_the_known_ones(tmp_path: Path) -> None:
    (tmp_path / "islands.toml").write_text("[defaults]\npopulaton = 10\n")
    ended = called("evolve", "i", "--config", tmp_path / "islands.toml", "--migration-dir", tmp_path / "s")
    check_refused(ended, 2, "populaton", "did you mean 'population'", "mutation_rate")


def test_flags_override_the_section_and_the_section_the_defaults(tmp_path: Path) -> None:
    (tmp_path / "islands.toml").write_text(
        '[defaults]\npopulation = 10\ntask = "sphere"\ngenerations = 5\nmigrants = 2\nmutation_rate = 0.5\n'
        "[defaults.options]\ndimensions = 3\n[i]\npopulation = 11\nmutation_rate = 0.4\n"
    )
    ended = called("evolve", "i", "-p", "12", "--config", tmp_path / "islands.toml", "--migration-dir", tmp_path / "s")
    assert ended.returncode == 0, ended.stderr
    start = json.loads((tmp_path / "s/islands/i/log.jsonl").read_text().splitlines()[0])
    assert start["settings"]["population"] == 12
    assert start["settings"]["mutation_rate"] == 0.4
    assert start["settings"]["options"]["dimensions"] == 3


@pytest.mark.parametrize("command", [["evolve", "i"], ["pool", "archive"], ["status"]])
@pytest.mark.parametrize(("given", "words"), [("", "it is empty"), ("--json", "got the flag --json")])
def test_a_shells_variable_that_is_not_set_is_no_directory(command, given, words, tmp_path: Path) -> None:
    ended = run(sys.executable, ROOT / "cli.py", *command, "--migration-dir", given, cwd=tmp_path)
    check_refused(ended, 2, "--migration-dir", words)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("given", ["", "--json"])
@pytest.mark.parametrize("command", [["report"], ["plot", "fitness"]])
def test_a_shells_variable_that_is_not_set_is_nothing_to_draw(command, given, tmp_path: Path) -> None:
    ended = run(sys.executable, ROOT / "cli.py", *command, "-o", "x.svg", "--", given, cwd=tmp_path)
    check_refused(ended, 2, "[DIR]")


@pytest.mark.slow
def test_an_unwritable_or_missing_directory_is_refused(tmp_path: Path) -> None:
    check_refused(atoll("evolve", "i", "--migration-dir", tmp_path / "no" / "where"), 7, "does not exist; create it")
    check_refused(atoll("evolve", "i", "--migration-dir", "/sys/atoll"), 7, "/sys/atoll")
    (tmp_path / "file").touch()
    check_refused(atoll("status", "--migration-dir", tmp_path / "file"), 7, "not a directory")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--seed", "2"], ["--seed 1 (not 2)", "pool archive"]),
        (["--task", "rastrigin"], ["--task sphere (not rastrigin)"]),
        (["-o", "dimensions=7"], ["-o dimensions=10 (not 7)"]),
    ],
)
def test_a_pool_of_another_run_is_refused(arguments: list[str], words: list[str], archipelago: Path) -> None:
    check_refused(atoll("evolve", "late", *QUICK, *arguments, "--migration-dir", archipelago), 3, *words)
    assert not (archipelago / "islands/late").exists()


def test_changed_settings_on_resume_are_all_named(archipelago: Path) -> None:
    changed = ["-g", "30", "--algorithm", "cma", "--sigma", "0.5", "--topology", "full"]
    ended = atoll("evolve", "island-01", *QUICK, *changed, "--migration-dir", archipelago)
    check_refused(ended, 6, "sigma was 0.1, now 0.5", "topology was 'ring', now 'full'", "--fresh")


def test_a_finished_island_says_what_to_do(archipelago: Path) -> None:
    ended = called("evolve", "island-01", *QUICK, "--migration-dir", archipelago)
    assert ended.returncode == 0
    assert "already at generation 20; use -g 40 to go on, or --fresh" in ended.stdout


def test_migration_off_is_said_loudly(tmp_path: Path) -> None:
    ended = called("evolve", "i", *QUICK, "--topology", "none", "--migration-dir", tmp_path / "s")
    assert "MIGRATION IS OFF" in ended.stdout
    assert not list((tmp_path / "s/migration_pool/i").glob("gen-*"))


def test_one_island_alone_evolves_and_says_so(tmp_path: Path) -> None:
    ended = called("evolve", "i", *QUICK, "--migration-dir", tmp_path / "s")
    assert ended.returncode == 0
    assert "no other island in the pool yet; evolving alone" in ended.stdout


def test_evolve_in_json_prints_the_log(tmp_path: Path) -> None:
    ended = atoll("evolve", "i", *QUICK, "--json", "--migration-dir", tmp_path / "s")
    logged = (tmp_path / "s/islands/i/log.jsonl").read_text().splitlines()
    assert list(map(json.loads, ended.stdout.splitlines())) == list(map(json.loads, logged))


@pytest.mark.slow
def test_an_island_is_replayed_with_its_own_settings(archipelago: Path, tmp_path: Path) -> None:
    recorded = ("--mode", "replay", "--replay-from", archipelago / "islands/island-02")
    ended = atoll("evolve", "island-02", *recorded, "--migration-dir", tmp_path / "again")
    assert ended.returncode == 0, ended.stderr
    assert "the replay equals the recording: generations 0 to 20" in ended.stdout
    (archipelago / "islands/island-02/inbox/gen-20.safetensors").rename(tmp_path / "kept")
    ended = atoll("evolve", "island-02", *recorded, "--migration-dir", tmp_path / "once more")
    (tmp_path / "kept").rename(archipelago / "islands/island-02/inbox/gen-20.safetensors")
    check_refused(ended, 9, "no imports of generation 20")


@pytest.mark.slow
def test_status_shows_who_waits_for_whom(tmp_path: Path) -> None:
    lockstep = ["--mode", "lockstep", "--members", "a,b", "--migration-dir", str(tmp_path / "s")]
    island = subprocess.Popen([sys.executable, "cli.py", "evolve", "a", *QUICK, *lockstep], cwd=ROOT)
    try:
        shown = tmp_path / "s/migration_pool/a/beat.json"
        wait_until(lambda: shown.exists() and b'["b"]' in shown.read_bytes(), "a to say that it waits")
        [row] = json.loads(atoll("status", "--json", "--migration-dir", tmp_path / "s").stdout)["islands"]
        assert (row["condition"], row["waiting_for"], row["generation"]) == ("waiting", ["b"], 9)
        assert atoll("status", "--migration-dir", tmp_path / "s").stdout.splitlines()[1].split()[:2] == ["a", "waiting"]
    finally:
        island.terminate()
    assert island.wait() == 143
    check_refused(
        atoll("evolve", "a", *QUICK, *lockstep, "--lockstep-timeout-s", "0.1"), 10, "waited 0.1 s for b gen-10"
    )


def test_status_tells_the_same_in_text_and_json(archipelago: Path) -> None:
    rows = json.loads(called("status", "--json", "--migration-dir", archipelago).stdout)["islands"]
    assert [(row["name"], row["condition"], row["generation"]) for row in rows] == [
        ("island-01", "finished", 20),
        ("island-02", "finished", 20),
    ]
    for row in rows:
        manifests = archipelago.glob(f"migration_pool/{row['name']}/gen-*/manifest.json")
        assert row["exports"] == sum(len(json.loads(path.read_text())["genomes"]) for path in manifests) > 0
    text = called("status", "--migration-dir", archipelago).stdout.splitlines()
    assert tuple(text[0].split()) == table.HEADER
    assert text[1].split()[:3] == ["island-01", "finished", "20/20"]


def test_status_of_nothing_says_how_to_start(tmp_path: Path) -> None:
    ended = called("status", "--migration-dir", tmp_path)
    assert ended.returncode == 0
    assert "python cli.py evolve island-01" in ended.stdout


def test_tail_shows_the_last_lines_of_all_islands_or_of_one(archipelago: Path) -> None:
    everything = called("tail", "--no-follow", "-n", "2", "--migration-dir", archipelago).stdout.splitlines()
    assert [line.split()[2] for line in everything].count("island-01") == 2
    assert len(everything) == 4
    one = called("tail", "island-02", "--no-follow", "-n", "1", "--json", "--migration-dir", archipelago).stdout
    assert json.loads(one)["island"] == "island-02"


@pytest.mark.slow
def test_tail_follows(archipelago: Path, tmp_path: Path) -> None:
    with (tmp_path / "seen").open("w") as seen:
        command = [sys.executable, "cli.py", "tail", "-n", "0", "--migration-dir", str(archipelago)]
        following = subprocess.Popen(command, cwd=ROOT, stdout=seen)
        try:
            atoll("evolve", "late", *QUICK, "--migration-dir", archipelago)
            wait_until(lambda: "late  gen 20  published" in (tmp_path / "seen").read_text(), "the new island's events")
        finally:
            following.terminate()
            following.wait()


@pytest.mark.slow
def test_pool_verify_finds_what_was_broken_and_changes_nothing(tmp_path: Path) -> None:
    root = tmp_path / "s"
    called("evolve", "i", *QUICK, "--migration-dir", root)
    assert called("pool", "verify", "--migration-dir", root).returncode == 0
    broken = root / "migration_pool/i/gen-10/genomes.safetensors"
    broken.write_bytes(broken.read_bytes()[:-1])
    (root / "migration_pool/i/stray").touch()
    ended = called("pool", "verify", "--json", "--migration-dir", root)
    assert ended.returncode == 9
    defects = json.loads(ended.stdout)["defects"]
    assert [defect["path"].rsplit("/", 1)[-1] for defect in defects] == ["stray", "genomes.safetensors"]
    assert broken.exists()


def test_an_unknown_command_is_refused_in_one_line() -> None:
    check_refused(atoll("evolv"), 2, "No such command 'evolv'")


@pytest.mark.parametrize("lines", [0, 10])
def test_a_reader_that_goes_away_is_no_error(lines: int, archipelago: Path) -> None:
    following = f"{sys.executable} cli.py tail -n {lines} --migration-dir {archipelago} | true"
    ended = run("bash", "-c", f"{following}; exit ${{PIPESTATUS[0]}}")
    assert (ended.returncode, ended.stderr) == (141, "")


def test_a_full_standard_output_is_one_line(archipelago: Path) -> None:
    ended = run("bash", "-c", f"{sys.executable} cli.py status --migration-dir {archipelago} >/dev/full")
    check_refused(ended, 7, "No space left on device")


@pytest.mark.slow
@pytest.mark.parametrize("output", [">/dev/full", "| head -n 1"])
def test_an_island_outlives_its_display(output: str, tmp_path: Path) -> None:
    line = " ".join(("evolve", "i", *QUICK, "--migration-dir", str(tmp_path / "s")))
    ended = run("bash", "-c", f"{sys.executable} cli.py {line} {output}; exit ${{PIPESTATUS[0]}}")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert (
        json.loads(atoll("status", "--json", "--migration-dir", tmp_path / "s").stdout)["islands"][0]["generation"]
        == 20
    )


def test_nothing_to_do_shows_the_help() -> None:
    ended = atoll()
    assert ended.returncode == 2
    assert ended.stderr.startswith("Usage: cli.py")


def test_tail_of_an_island_that_is_not_there_says_so(archipelago: Path) -> None:
    check_refused(
        called("tail", "nosuch", "--no-follow", "--migration-dir", archipelago), 2, "no island nosuch", "status"
    )


def test_tail_keeps_an_islands_order_and_merges_by_time(archipelago: Path) -> None:
    lines = called("tail", "--no-follow", "-n", "1000", "--migration-dir", archipelago).stdout.splitlines()
    assert [line[:19] for line in lines] == sorted(line[:19] for line in lines)
    for name in ("island-01", "island-02"):
        logged = (archipelago / "islands" / name / "migration.log").read_text().splitlines()
        assert [line for line in lines if line.split()[2] == name] == logged
    records = called("tail", "--no-follow", "-n", "1000", "--json", "--migration-dir", archipelago).stdout.splitlines()
    times = [json.loads(record)["time"]["unix_s"] for record in records]
    assert times == sorted(times)


@pytest.mark.slow
def test_watching_in_json_is_one_object_a_look(archipelago: Path) -> None:
    watched = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
    arguments = ("status", "--json", "--while", str(watched.pid), "--migration-dir", str(archipelago))
    with subprocess.Popen([sys.executable, "cli.py", *arguments], cwd=ROOT, stdout=subprocess.PIPE) as watching:
        assert watching.stdout is not None
        first = watching.stdout.readline()
        watched.communicate()
        looks = [json.loads(line) for line in (first, *watching.stdout)]
    assert watching.returncode == 0
    assert all([row["name"] for row in look["islands"]][:2] == ["island-01", "island-02"] for look in looks)


def test_errors_map_to_documented_codes(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> int:
        raise click.Abort

    assert cli.run(fail) == 130
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("error", "why"), [(MemoryError(), ""), (MemoryError("no 7 GiB"), " (no 7 GiB)")])
def test_memory_that_runs_out_is_one_line_in_every_command(
    error: MemoryError, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> int:
        raise error

    assert cli.run(fail) == NoMemoryError.exit_code
    assert capsys.readouterr().err.startswith(f"error: not enough memory{why}; free some")


@pytest.mark.slow
def test_the_users_line_publishes_generation_ten(tmp_path: Path) -> None:
    line = ["evolve", "island-01", "-p", "250", "-g", "150", "--migrate-every", "10"]
    short = ["-o", "courses=1", "-o", "life_s=2"]
    command = [sys.executable, "cli.py", *line, *short, "--migration-dir", f"{tmp_path}/shared/"]
    island = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        published = tmp_path / "shared/migration_pool/island-01/gen-10/manifest.json"
        wait_until(published.exists, "gen-10")
    finally:
        island.terminate()
    assert island.wait() == 143


SMALL_CREATURES = ("-p", "6", "-g", "1", "--migrants", "1", "-o", "courses=1", "-o", "life_s=0.1")


@pytest.mark.slow
def test_without_a_compiler_an_island_says_so_once_and_runs_on_the_reference(tmp_path: Path) -> None:
    ended = atoll("evolve", "i", *SMALL_CREATURES, "--migration-dir", tmp_path / "s", PATH=str(tmp_path))
    assert ended.returncode == 0, ended.stderr
    assert (ended.stdout + ended.stderr).count("no C++ compiler found") == 1
    start = json.loads((tmp_path / "s/islands/i/log.jsonl").read_text().splitlines()[0])
    assert (start["backend"], start["settings"]["backend"]) == ("reference", "auto")
    assert "apt install g++" in start["build"]


@pytest.mark.slow
def test_the_native_evaluator_without_a_compiler_is_refused_in_one_line(tmp_path: Path) -> None:
    given = ("evolve", "i", "--backend", "native", *SMALL_CREATURES, "--migration-dir", tmp_path / "s")
    check_refused(atoll(*given, PATH=str(tmp_path)), 2, "--backend native", "no C++ compiler found", "apt install g++")
    assert not (tmp_path / "s").exists()


@pytest.mark.slow
@pytest.mark.skipif(compiler.find() is None, reason="no C++ compiler")
def test_an_island_keeps_its_evaluator_when_it_resumes(tmp_path: Path) -> None:
    given = ("evolve", "i", *SMALL_CREATURES, "--migration-dir", tmp_path / "s")
    assert atoll(*given).returncode == 0
    start = json.loads((tmp_path / "s/islands/i/log.jsonl").read_text().splitlines()[0])
    assert start["backend"] == "native"
    assert "kernel" in start["build"]
    check_refused(atoll(*given, "-g", "2", PATH=str(tmp_path)), 2, "--backend native", "no C++ compiler found")
    check_refused(atoll(*given, "-g", "2", "--backend", "reference"), 6, "--backend was 'native', now 'reference'")
    assert atoll(*given, "-g", "2").returncode == 0

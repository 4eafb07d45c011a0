"""A library is compiled once, found again, and never loaded unless it is whole and ours."""

import logging
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from atoll.evo import atomic, compiler
from atoll.evo.errors import ConfigError

ROOT = Path(__file__).parents[2]
needs_compiler = pytest.mark.skipif(compiler.find() is None, reason="no C++ compiler")
pytestmark = needs_compiler


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "answer.cpp"
    path.write_text('extern "C" int answer() { return ANSWER; }\n')
    return path


@pytest.fixture
def home(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def compiled(monkeypatch):
    """Sources that the compiler was run on."""
    seen = []
    run = compiler._run

    def watch(program, *arguments):
        seen.extend(argument for argument in arguments if argument.endswith(".cpp"))
        return run(program, *arguments)

    monkeypatch.setattr(compiler, "_run", watch)
    return seen


def ask(source, home, value=42):
    return compiler.load(source, (f"-DANSWER={value}",), cache=home).functions.answer()


def kept(home):
    return sorted(home.iterdir())


def put(path, data):
    """Replace a file; to change it in place would pull the ground from under the process that has it loaded: us."""
    path.unlink(missing_ok=True)
    path.write_bytes(data)


def test_a_library_is_compiled_once_and_found_again(source, home, compiled):
    assert [ask(source, home), ask(source, home)] == [42, 42]
    assert len(compiled) == len(kept(home)) == 1


def test_another_source_other_flags_or_another_compiler_is_another_library(source, home, compiled, monkeypatch):
    assert [ask(source, home, 1), ask(source, home, 2)] == [1, 2]
    source.write_text(source.read_text() + "\n")
    ask(source, home, 1)
    run = compiler._run
    monkeypatch.setattr(compiler, "_run", lambda *given: run(*given) + ("!" if "--version" in given else ""))
    ask(source, home, 1)
    assert len(compiled) == len(kept(home)) == 4


@pytest.mark.parametrize("damage", [lambda data: data[:-1], lambda _: b"", lambda data: data + b"\0"])
def test_a_damaged_library_is_not_loaded_but_replaced(source, home, compiled, damage):
    ask(source, home)
    [path] = kept(home)
    whole = path.read_bytes()
    put(path, damage(whole))
    assert ask(source, home) == 42
    assert len(compiled) == 2
    assert any(path.read_bytes() == whole for path in kept(home))


def test_a_stranger_s_library_is_not_loaded(source, home, compiled):
    """Neither under our name with other bytes, nor from a directory that others can write to."""
    ask(source, home, 1)
    [path] = kept(home)
    foreign = path.read_bytes()
    path.unlink()
    ask(source, home, 2)
    [path] = kept(home)
    put(path, foreign)
    assert ask(source, home, 2) == 2
    home.chmod(0o777)
    assert ask(source, home, 2) == 2
    assert len(compiled) == 4


def test_the_cache_is_private(source, home):
    ask(source, home)
    assert stat.S_IMODE(home.stat().st_mode) == 0o700


def test_a_cache_that_cannot_be_written_does_without(source, home, compiled, monkeypatch):
    def refuse(*_given, **_options):
        raise PermissionError

    monkeypatch.setattr(atomic, "replace_file", refuse)
    assert [ask(source, home), ask(source, home)] == [42, 42]
    assert len(compiled) == 2
    assert kept(home) == []


def test_a_file_in_the_place_of_the_cache_does_no_harm(source, home):
    home.write_text("not a directory")
    assert ask(source, home) == 42


def test_no_home_does_no_harm(source, monkeypatch):
    monkeypatch.setattr(compiler, "_user_cache", lambda: None)
    assert compiler.load(source, ("-DANSWER=3",)).functions.answer() == 3


def test_two_that_start_together_do_not_disturb_each_other(source, home):
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda _: ask(source, home), range(4))) == [42] * 4
    assert all(path.suffix == ".so" for path in kept(home))


def test_nothing_is_left_behind(source, home, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    ask(source, home)
    with pytest.raises(ConfigError):
        compiler.load(source, (), cache=home)
    assert list((tmp_path / "temporary").iterdir()) == []
    assert len(kept(home)) == 1


def test_a_refused_source_is_one_line_that_says_why(source, home):
    with pytest.raises(ConfigError, match="ANSWER") as refusal:
        compiler.load(source, (), cache=home)
    assert "\n" not in str(refusal.value)


def test_a_compiler_that_does_not_run_or_is_not_there_is_an_error_to_read(source, home, tmp_path, monkeypatch):
    broken = tmp_path / "g++"
    broken.write_text("#!/nowhere/sh\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match="does not run"):
        ask(source, home)
    broken.unlink()
    with pytest.raises(ConfigError, match="no C\\+\\+ compiler found; install one"):
        ask(source, home)


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """Put a shell script in the place of the compiler; what it says to --version is not its business."""

    def put_in_place(script):
        program = tmp_path / "bin" / "g++"
        program.parent.mkdir()
        program.write_text(f'#!/bin/sh\n[ "$1" = --version ] && exit\nfor last; do :; done\n{script}\n')
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")

    return put_in_place


@pytest.mark.parametrize("script", ['echo garbage >"$last"', ': >"$last"', "exit 0"])
def test_what_a_compiler_makes_and_nobody_can_load_is_an_error_to_read(source, home, fake, script):
    """As where neither cache nor TMPDIR may hold programs, or the compiler is one for another machine."""
    fake(script)
    told = r"can be loaded neither from .* nor from where temporary files go"
    with pytest.raises(ConfigError, match=told) as refusal:
        ask(source, home)
    assert "TMPDIR" in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_no_place_for_temporary_files_is_an_error_to_read(source, home, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    with pytest.raises(ConfigError, match=r"nor from where temporary files go .*nowhere"):
        ask(source, home)


def test_compiling_is_told_before_the_compiler_is_waited_for_and_loading_is_not(source, home, caplog):
    ask(source, home)
    [told] = caplog.messages
    assert told.startswith("compiling the kernel answer.cpp with ")
    ask(source, home)
    assert caplog.messages == [told]


@pytest.mark.parametrize("hanging", ["--version", "-std=c++17"])
def test_a_compiler_that_hangs_is_spoken_of_while_it_is_waited_for(source, home, tmp_path, monkeypatch, hanging):
    """It hangs here until somebody speaks of it."""
    real = compiler.find()
    program, spoken = tmp_path / "bin" / "g++", tmp_path / "spoken"
    program.parent.mkdir()
    hang = f"while [ ! -e {spoken} ]; do sleep 0.05; done"
    program.write_text(f'#!/bin/sh\n[ "$1" = {hanging} ] && {hang}\nexec {real} "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    monkeypatch.setattr(compiler, "SILENCE_S", 0.05)
    told = []

    class Listener(logging.Handler):
        def emit(self, record):
            told.append(record.getMessage())
            if told[-1].startswith("waiting for"):
                spoken.touch()

    listener = Listener()
    monkeypatch.setattr(compiler.LOG, "handlers", [listener])
    assert ask(source, home) == 42
    assert [each for each in told if each.startswith(f"waiting for {program}")]


@pytest.mark.parametrize(
    ("base", "expected"),
    [("/var/cache/me", "/var/cache/me/atoll"), ("relative", "/h/.cache/atoll"), ("", "/h/.cache/atoll")],
)
def test_the_cache_is_where_the_system_keeps_caches(base, expected, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", base)
    monkeypatch.setenv("HOME", "/h")
    assert compiler._user_cache() == Path(expected)


@pytest.mark.slow
def test_processes_that_start_together_all_get_the_library(source, home):
    code = (
        "import sys; from pathlib import Path; from atoll.evo import compiler\n"
        "print(compiler.load(Path(sys.argv[1]), ('-DANSWER=7',), cache=Path(sys.argv[2])).functions.answer())"
    )
    command = [sys.executable, "-c", code, str(source), str(home)]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) for _ in range(3)]
    assert [process.communicate()[0].strip() for process in started] == ["7"] * 3

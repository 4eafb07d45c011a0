"""The standard streams are there, take every character, and nobody needs to hear what goes to standard error."""

from __future__ import annotations

import codecs
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from atoll.scripts.view import streams
from tests.processes import ROOT

LOOK = """
import os, subprocess, sys
from atoll.scripts import commands as cli
from atoll.scripts.view import streams
streams.mend()
assert not any(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr))
with open(sys.argv[1], "x") as file:
    print("for nobody", flush=True)
    print("for nobody", file=sys.stderr)
    heirs = subprocess.run([sys.executable, "-c", "import os; [os.fstat(n) for n in range(3)]"]).returncode
    for n in map(int, sys.argv[2:]):
        os.write(n, b"for nobody")
        file.write(os.readlink(f"/proc/self/fd/{n}") + " ")
    file.write(f"{file.fileno() > 2} {heirs} {sys.stdin.read()!r}")
"""


@pytest.mark.parametrize("closed", ["1", "2", "0", "01", "12", "012"])
def test_no_file_gets_the_number_of_a_standard_stream_that_is_closed(tmp_path, closed):
    redirect = " ".join(f"{n}>&-" for n in closed)
    command = ["sh", "-c", f'exec "$@" {redirect}', "sh", sys.executable, "-c", LOOK, str(tmp_path / "said"), *closed]
    ended = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, stdin=subprocess.DEVNULL)
    assert ended.returncode == 0, ended
    assert (tmp_path / "said").read_text() == f"{'/dev/null ' * len(closed)}True 0 ''"


@pytest.fixture
def mended(monkeypatch):
    """Mend the streams of the process that tests run in, and give them back."""
    monkeypatch.setattr(sys, "stderr", sys.stderr)
    streams.mend()


@pytest.mark.parametrize(
    ("encoding", "text", "shown"),
    [
        ("utf-8", "a…▁█é", "a…▁█é".encode()),
        ("latin-1", "a…▁█é", b"a~.@\xe9"),
        ("ascii", "a…▁█é\U0001f3dd", b"a~.@??"),
        ("utf-8", "caf\udce9 \ud800", b"caf\xe9 ?"),
        ("ascii", "caf\udce9", b"caf\xe9"),
    ],
)
@pytest.mark.usefixtures("mended")
def test_what_cannot_be_shown_becomes_ascii_of_the_same_width_and_a_path_keeps_its_bytes(encoding, text, shown):
    assert text.encode(encoding, streams.SHOWABLE) == shown


@pytest.mark.usefixtures("mended")
def test_what_cannot_be_read_is_not_made_up():
    with pytest.raises(UnicodeDecodeError):
        b"\xff".decode("utf-8", streams.SHOWABLE)
    assert codecs.lookup_error(streams.SHOWABLE)


@pytest.mark.parametrize("value", ["x", "-3", "\u00b2", "1000000000", "", " 80"])
@pytest.mark.parametrize("name", ["COLUMNS", "LINES"])
def test_a_size_that_is_none_is_not_believed(monkeypatch, name, value):
    monkeypatch.setattr(sys, "stderr", sys.stderr)
    monkeypatch.setenv(name, value)
    streams.mend()
    assert name not in os.environ
    monkeypatch.setenv(name, "132")
    streams.mend()
    assert os.environ[name] == "132"


@pytest.mark.parametrize("buffering", [1, -1])
def test_a_stream_that_need_not_be_heard_never_fails_and_then_leads_nowhere(buffering):
    with open("/dev/full", "w", buffering, encoding="utf-8") as full:  # noqa: PTH123
        quiet = streams.unheard(full)
        for _ in range(3):
            quiet.write("x" * 100_000)
            quiet.flush()
        assert Path(f"/proc/self/fd/{full.fileno()}").readlink() == Path(os.devnull)


def test_a_stream_that_need_not_be_heard_is_like_the_one_it_stands_for(tmp_path):
    with (tmp_path / "f").open("w", encoding="latin-1", errors="replace") as file:
        quiet = streams.unheard(file)
        assert isinstance(quiet, io.TextIOWrapper)
        assert (quiet.encoding, quiet.errors, quiet.isatty(), quiet.fileno()) == (
            "latin-1",
            "replace",
            False,
            file.fileno(),
        )
        quiet.write("é…")
        quiet.flush()
        quiet.close()
        file.write("!")
    assert (tmp_path / "f").read_bytes() == b"\xe9?!"


@pytest.mark.parametrize("is_waiting", [True, False])
def test_who_does_not_read_misses_something_and_holds_nobody_up(monkeypatch, is_waiting):
    monkeypatch.setattr(streams, "PATIENCE_S", 0.01)
    reader, writer = os.pipe()
    os.set_blocking(writer, is_waiting)
    os.set_blocking(reader, False)
    with open(writer, "w", encoding="utf-8") as full, open(reader, "rb", 0) as slow:  # noqa: PTH123
        quiet = streams.unheard(full)
        for _ in range(3):
            quiet.write("x" * 100_000)
            quiet.flush()
        assert set(slow.read(1_000_000)) == set(b"x")
        quiet.write("again")
        quiet.flush()
        assert slow.read(1_000_000) == b"again"


def test_what_is_no_file_is_left_as_it_is():
    text = io.StringIO()
    assert streams.unheard(text) is text
    wrapped = io.TextIOWrapper(io.BytesIO())
    assert streams.unheard(wrapped) is wrapped

"""The table and the board fit their terminal, whatever is in them."""

from __future__ import annotations

import io
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from io import StringIO
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from atoll.evo import runlog
from atoll.evo.paths import SharedPaths
from atoll.migration.observe import status
from atoll.migration.observe.status import IslandStatus
from atoll.migration.observe.team import MemberStatus
from atoll.scripts.view import table
from atoll.scripts.view.watch import INTERVAL_S, MAX_SHARE, pause_s
from tests.processes import ROOT, kill_all_in, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


ROW = IslandStatus(
    name="island-01",
    condition="running",
    waiting_for=(),
    generation=12,
    target=150,
    best=123.456,
    median=-1.5,
    champion=130.0,
    diversity=0.2,
    distinct=7,
    population=9,
    ancestry={"island-01": 0.5, "island-02": 0.5},
    origins=2.0,
    exports=5,
    imports=4,
    refused=0,
    last_export=10,
    last_import=10,
    rate_per_s=0.5,
    epoch=1,
    host="here",
    pid=1,
    threads=1,
    memory_mb=55.5,
    champion_path="/c",
)


def drawn(rows: list[IslandStatus], width: int) -> list[str]:
    console = Console(file=StringIO(), width=width)
    console.print(table.as_rich(rows, width=width))
    assert isinstance(console.file, StringIO)
    return console.file.getvalue().splitlines()


@given(st.integers(40, 200))
def test_a_terminal_of_any_width_shows_whole_words(width: int) -> None:
    lines = drawn([ROW, replace(ROW, name="island-02")], width)
    assert len(lines) == 3
    assert not any("…" in line for line in lines)
    assert [line.split()[:3] for line in lines[1:]] == [
        [name, "running", "12/150"] for name in ("island-01", "island-02")
    ]


@given(st.integers(1, 300), st.integers(1, 64))
def test_where_little_fits_a_name_alone_is_cut(width: int, length: int) -> None:
    lines = drawn([ROW, replace(ROW, name="x" * length)], width)
    assert len(lines) == 3
    assert max(map(len, lines)) <= width
    whole = {*table.HEADER, *table.cells(ROW), "x" * length}
    if width >= max(length, len(ROW.name)):
        assert {word for line in lines for word in line.split()} <= whole
        assert [line.split()[0] for line in lines[1:]] == [ROW.name, "x" * length]
    else:
        assert [line.split()[1:] for line in lines] == [[], [], []]


def test_a_wide_terminal_shows_what_a_pipe_gets() -> None:
    rows = [ROW, replace(ROW, name="island-02", threads=None, memory_mb=None, best=None)]
    assert [line.split() for line in drawn(rows, 200)] == [line.split() for line in table.as_text(rows).splitlines()]


def test_a_name_is_text_and_never_markup() -> None:
    assert "[bold]x" in drawn([replace(ROW, name="[bold]x")], 200)[1]


def test_what_an_older_log_does_not_say_is_a_dash() -> None:
    assert table.cells(ROW)[table.HEADER.index("distinct")] == "7"
    assert table.cells(replace(ROW, distinct=None))[table.HEADER.index("distinct")] == "-"


def test_champions_come_best_first() -> None:
    rows = [
        replace(ROW, name="b", champion=1.0),
        replace(ROW, name="a", champion=2.0),
        replace(ROW, champion_path=None),
    ]
    assert table.champions(rows).splitlines() == ["champion of a: 2  /c", "champion of b: 1  /c"]


def test_eighty_columns_show_the_origins() -> None:
    header = drawn([ROW, replace(ROW, name="island-02", exports=1000, imports=1000)], 80)[0].split()
    assert {"island", "state", "gen", "best", "origins", "imports"} <= set(header)


def test_islands_are_pooled_by_their_sizes_and_the_largest_share_is_named() -> None:
    rows = [ROW, replace(ROW, name="island-02", population=27, ancestry={"island-02": 1.0})]
    assert table.origins(rows) == "genes of 2 ancestors, as diverse as 1.28 equal ones; 88% of island-02"
    assert table.origins([replace(ROW, ancestry={})]) == ""
    assert "genes of 1 ancestor," in table.origins([replace(ROW, ancestry={"island-01": 1.0})])


@pytest.mark.parametrize(
    ("n", "spelled"), [(2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (12, "12th"), (21, "21st"), (113, "113th")]
)
def test_a_place_in_an_order_is_spelled_as_people_do(n, spelled):
    assert table.nth(n) == spelled


def test_what_has_no_column_is_told_in_a_line(capsys, tmp_path):
    rows = [
        replace(ROW, name="a", generation=188, target=50),
        replace(ROW, name="b", last_source="a:10", last_source_times=3),
        replace(ROW, name="c", condition="unreadable", unreadable="c/log.jsonl: Permission denied"),
        ROW,
    ]
    table.show_all(rows, SharedPaths(tmp_path), with_champions=False)
    assert capsys.readouterr().out.splitlines()[-4:-1] == [
        "c may not be read: c/log.jsonl: Permission denied",
        "a was already at generation 188, beyond 50",
        "b took from a:10 again, for the 3rd time",
    ]


def member(name: str, **more: object) -> MemberStatus:
    counts = dict.fromkeys(("shares", "genomes", "taken_over", "checked", "duplicates"), 2)
    told = {"condition": "alive", "is_owner": False, "last": 1, "evaluate_s": 3.25, "waited_s": 0.5}
    return MemberStatus(**{**counts, **told, "name": name, **more})


def team_of(n: int, name: str = "here") -> tuple[MemberStatus, ...]:
    return tuple(member(f"{name}-{i:03}", is_owner=i == 1) for i in range(n))


def told_of(rows: list[IslandStatus], capsys: pytest.CaptureFixture[str], place: Path) -> list[str]:
    table.show_all(rows, SharedPaths(place), with_champions=False)
    return capsys.readouterr().out.splitlines()


def test_a_team_is_one_row_with_its_members_below(capsys, tmp_path):
    lines = told_of([ROW, replace(ROW, name="brain", team=team_of(2))], capsys, tmp_path)
    assert [line.split()[0] for line in lines] == [
        "island",
        "island-01",
        "brain",
        "members",
        *("here-000", "here-001"),
        "genes",
    ]
    header, first, second = (" ".join(line.split()) for line in lines[3:6])
    assert header == "members of brain state role shares genomes last scored s waited s taken over checked"
    assert first == "here-000 alive - 2 2 1 3.2 0.5 2 2"
    assert second.startswith("here-001 alive owner ")


def test_of_a_large_team_the_last_are_summed_up(capsys, tmp_path):
    lines = told_of([replace(ROW, team=team_of(table.MAX_MEMBERS + 10))], capsys, tmp_path)
    assert len(lines) == 1 + 1 + 1 + table.MAX_MEMBERS + 1
    assert " ".join(lines[-2].split()) == "11 more alive - 22 22 11 35.8 5.5 22 22"


def test_a_member_is_text_that_cannot_command_the_terminal(capsys, tmp_path):
    lines = told_of([replace(ROW, team=(member("\x1b[2J[bold]x"),))], capsys, tmp_path)
    assert lines[3].startswith("?[2J[bold]x")


@given(st.integers(20, 200), st.integers(2, 40), st.integers(1, 12), st.integers(1, 80))
def test_a_board_with_teams_fits_its_terminal(tmp_path_factory, width, height, n, members):
    rows = [island(f"i{i}", team=team_of(members if i % 2 else 0, name="x" * (i % 50))) for i in range(n)]
    lines = drawn_board(SharedPaths(tmp_path_factory.getbasetemp() / "none"), rows, width=width, height=height)
    assert len(lines) <= height
    assert max(map(len, lines)) <= width


def test_a_board_shows_as_many_members_as_fit_and_sums_up_the_rest(tmp_path):
    rows = [island("brain", team=team_of(9))]
    whole = drawn_board(SharedPaths(tmp_path), rows, width=120, height=13)
    assert [line.split()[0] for line in whole[4:]] == [f"here-00{i}" for i in range(9)]
    cut = drawn_board(SharedPaths(tmp_path), rows, width=120, height=8)
    assert [line.split()[0] for line in cut[4:]] == ["here-000", "here-001", "here-002", "6"]


def island(name: str, **more: object) -> IslandStatus:
    nothing = dict.fromkeys(IslandStatus.__dataclass_fields__)
    known = {"exports": 7, "imports": 3, "refused": 12, "waiting_for": (), "condition": "running", "generation": 110}
    numbers = {"best": 1234.5678, "median": 0.00123456, "rate_per_s": 12.3456, "target": 150, "threads": 1}
    return IslandStatus(**{**nothing, **known, **numbers, "memory_mb": 51.2, "name": name, **more})


def drawn_board(shared: SharedPaths, rows: list[IslandStatus], *, width: int, height: int, looks: int = 1) -> list[str]:
    view = table.Board(shared)
    for _ in range(looks):
        shown = view.draw(rows, width=width, height=height)
    console = Console(file=io.StringIO(), width=width, height=height, color_system=None)
    console.print(shown)
    return console.file.getvalue().splitlines()


@given(st.lists(st.floats(-1e6, 1e6), max_size=99, unique=True), st.integers(1, 12))
def test_a_trend_rises_with_its_values_from_the_lowest_bar_to_the_highest(values, width):
    bars = table.sparkline(values, width=width)
    assert len(bars) == min(len(values), width)
    assert set(bars) <= set(table.BARS)
    rising = table.sparkline(sorted(values), width=width)
    assert list(rising) == sorted(rising)
    if len(rising) > 1:
        assert (rising[0], rising[-1]) == (table.BARS[0], table.BARS[-1])


def test_what_never_changes_is_a_flat_trend():
    assert table.sparkline([3.0] * 20) == table.BARS[0] * table.TREND_WIDTH


@pytest.mark.parametrize(("width", "height"), [(80, 24), (200, 60), (40, 10), (80, 5)])
@pytest.mark.parametrize("n", [0, 1, 5, 20, 200])
@pytest.mark.parametrize("name", ["island", "x" * 60])
def test_no_line_is_too_long_and_there_are_not_too_many(tmp_path, width, height, n, name):
    rows = [island(f"{name}-{i:03}") for i in range(n)]
    lines = drawn_board(SharedPaths(tmp_path), rows, width=width, height=height)
    assert len(lines) <= height
    assert max(map(len, lines)) <= width
    if n:
        assert lines[1].split()[0].endswith("-000")
        assert lines[1].split()[1:3] == ["running", "110/150"]
        assert f"{n} running" in "\n".join(lines) or n == height - 1


@given(st.integers(1, 300), st.integers(2, 99), st.integers(0, 30), st.integers(1, 64))
@settings(max_examples=200)
def test_a_terminal_of_any_size_shows_whole_words_beside_names(tmp_path_factory, width, height, n, length):
    rows = [island(f"{i:x<{length}}") for i in range(n)]
    lines = drawn_board(SharedPaths(tmp_path_factory.getbasetemp() / "none"), rows, width=width, height=height)
    assert len(lines) <= height
    assert max(map(len, lines)) <= width
    assert max(line.count("…") for line in lines) <= 1
    whole = {*table.BOARD_HEADER, *table.board_cells(island("x"), {}), table.sparkline([1.0])}
    if width >= table.SHORTEST_NAME and 0 < n < height - table.HEAD_AND_FOOT:
        assert set(lines[0].split()) <= whole
        assert {word for line in lines[1 : n + 1] for word in line.split()[1:]} <= whole


def test_islands_are_seen_whole_where_they_fit(tmp_path):
    rows = [island(f"island-{i:02}") for i in range(20)]
    for height in (21, 22, 40):
        lines = drawn_board(SharedPaths(tmp_path), rows, width=80, height=height)
        assert [line.split()[0] for line in lines[1:21]] == [row.name for row in rows]


def test_everything_is_shown_in_80_columns_for_usual_names():
    rows = [
        table.board_cells(island(f"island-{i:02}", best=600.123), {f"island-{i:02}": "▁▂▃▄▅▆▇█"}) for i in range(20)
    ]
    columns, _ = table.fitting([table.BOARD_HEADER, *rows], table.BOARD, width=80)
    assert len(columns) == len(table.BOARD_HEADER)
    columns, _ = table.fitting([table.BOARD_HEADER, *rows], table.BOARD, width=60)
    assert [table.BOARD_HEADER[i] for i in columns] == ["island", "state", "gen", "best", "trend", "gen/s", "out", "in"]
    columns, gap = table.fitting([table.BOARD_HEADER, *rows], table.BOARD, width=120)
    assert (len(columns), gap) == (len(table.BOARD_HEADER), 2)


@given(st.text("abc-", max_size=70), st.integers(8, 64))
def test_a_long_name_keeps_its_ends(name, at_most):
    shown = table.shortened(name, at_most=at_most)
    assert len(shown) == min(len(name), at_most)
    if shown != name:
        head, tail = shown.split("…")
        assert name.startswith(head)
        assert name.endswith(tail)
        assert min(len(head), len(tail)) >= at_most // 2 - 1


@pytest.mark.slow
def test_of_many_islands_every_page_has_its_turn(tmp_path):
    rows = [island(f"island-{i:03}") for i in range(50)]
    seen = set()
    for looks in range(1, 60, table.LOOKS_PER_PAGE):
        lines = drawn_board(SharedPaths(tmp_path), rows, width=80, height=24, looks=looks)
        seen |= {line.split()[0] for line in lines if line.startswith("island-")}
    assert seen == {row.name for row in rows}


def test_a_trend_goes_on_from_the_log_and_forgets_what_is_lived_again(tmp_path):
    shared = SharedPaths(tmp_path)
    shared.island("a").home.mkdir(parents=True)
    for g in range(4):
        runlog.append(shared.island("a").log, {"kind": "generation", "generation": g, "best": float(g)})
    trends = table.Trends(shared)
    row = island("a", generation=4, best=10.0)
    assert trends.add([row]) == {"a": table.sparkline([0, 1, 2, 3, 10.0])}
    assert trends.add([row]) == {"a": table.sparkline([0, 1, 2, 3, 10.0])}
    assert trends.add([replace(row, generation=2, best=5.0)]) == {"a": table.sparkline([0, 1, 2])}


def test_a_trend_read_from_a_log_leaves_out_what_was_lived_again(tmp_path):
    shared = SharedPaths(tmp_path)
    shared.island("a").home.mkdir(parents=True)
    lived = [{"kind": "generation", "generation": g, "best": float(g)} for g in range(8)]
    again = [{"kind": "generation", "generation": g, "best": best} for g, best in ((5, 2.0), (6, "x"))]
    runlog.append_all(shared.island("a").log, [*lived, {"kind": "start", "generation": 5}, *again, {"kind": 3}])
    row = island("a", generation=7, best=1.0)
    assert table.Trends(shared).add([row]) == {"a": table.sparkline([0, 1, 2, 3, 4, 2.0, 1.0])}


def test_an_event_cannot_command_the_terminal(tmp_path):
    shared = SharedPaths(tmp_path)
    shared.island("a").home.mkdir(parents=True)
    shared.island("a").migration_log.write_text("2026-11-23 12:00:00  a  gen 1  from \x1b[2J\x1b]0;x\x07\n")
    lines = drawn_board(shared, [island("a")], width=80, height=24)
    assert "from ?[2J?]0;x?" in lines[-1]


def test_events_are_read_once_and_a_log_that_was_archived_begins_again(tmp_path):
    shared = SharedPaths(tmp_path)
    log = shared.island("a").migration_log
    log.parent.mkdir(parents=True)
    log.write_text("".join(f"2026-11-23 12:00:0{i}  a  gen {i}\n" for i in range(3)) + "2026-11-23 half")
    events = table.Events(shared)
    for _ in range(2):
        events.add(["a"])
        assert [line[-5:] for line in events.lines] == ["gen 0", "gen 1", "gen 2"]
    log.write_text("2026-11-23 12:00:09  a  gen 9\n")
    events.add(["a", "nobody"])
    assert events.lines[-1].endswith("gen 9")


@given(st.floats(0, 100))
def test_watching_takes_a_small_part_of_a_core_whatever_a_look_costs(cost_s):
    rest_s = pause_s(cost_s)
    assert rest_s >= INTERVAL_S
    assert cost_s / (cost_s + rest_s) < MAX_SHARE + 1e-9


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Path]:
    if shutil.which("tmux") is None:
        pytest.skip("no tmux here: apt-get install tmux")
    socket = tmp_path / "tmux"
    try:
        yield socket
    finally:
        subprocess.run(["tmux", "-S", str(socket), "kill-server"], check=False, capture_output=True)
        kill_all_in(tmp_path)


@pytest.mark.slow
def test_five_living_islands_one_killed_one_added_in_a_real_terminal(terminal, tmp_path):
    root = tmp_path / "s"

    def start(name: str) -> subprocess.Popen[bytes]:
        settings = ("--task", "sphere", "-p", "20", "-g", "100000000", "--migrate-every", "500")
        command = (sys.executable, "cli.py", "evolve", name, *settings, "--migration-dir", str(root))
        return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def tmux(*arguments: str) -> str:
        return subprocess.run(
            ["tmux", "-S", str(terminal), *arguments], check=True, capture_output=True, text=True, cwd=ROOT
        ).stdout

    def lines() -> list[str]:
        return tmux("capture-pane", "-p").splitlines()

    def is_shown(name: str, condition: str) -> bool:
        return any(line.split()[:2] == [name, condition] for line in lines())

    islands = {f"reef-{letter}": start(f"reef-{letter}") for letter in "abcde"}
    watching = f"env -u COLUMNS -u LINES {sys.executable} cli.py status --watch --migration-dir {root}"
    tmux("new-session", "-d", "-x", "80", "-y", "24", watching)
    for name in islands:
        wait_until(lambda name=name: is_shown(name, "running"), f"{name} on the board")
    wait_until(lambda: any("imported" in line for line in lines()), "an event below the table")
    assert max(map(len, lines())) <= 80
    islands["reef-b"].send_signal(signal.SIGKILL)
    islands["reef-b"].wait()
    islands["reef-f"] = start("reef-f")
    wait_until(lambda: is_shown("reef-b", "stopped"), "the killed one to be told of")
    wait_until(lambda: is_shown("reef-f", "running"), "the added one")
    tmux("resize-window", "-x", "200", "-y", "60")
    wait_until(lambda: any("median" in line and "MB" in line for line in lines()), "a wider table")
    for process in islands.values():
        if process.poll() is None:
            process.terminate()
    for process in islands.values():
        process.wait()


@pytest.mark.slow
def test_in_a_pipe_the_table_is_shown_once(tmp_path):
    shared = SharedPaths(tmp_path)
    shared.island("a").home.mkdir(parents=True)
    shared.island("a").log.touch()
    command = [sys.executable, "cli.py", "status", "--watch", "--migration-dir", str(tmp_path)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert ended.stdout.splitlines()[0].startswith("island")
    assert ended.stdout.count("\n") == 2
    assert status.STOPPED in ended.stdout

"""Laws of the ledger: one call, one line for programs and one for people, and the two agree."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from atoll.evo import runlog
from atoll.evo.errors import FencedError, StorageError
from atoll.evo.paths import SharedPaths
from atoll.evo.records import Alone, Imported, Published, Refused, Start
from atoll.migration.pool.ledger import Ledger
from tests.migration.archipelago import read_ledger


@pytest.fixture
def paths(tmp_path):
    return SharedPaths(tmp_path / "shared").island("a")


@pytest.fixture
def ledger(paths):
    ledger = Ledger(paths, clock=lambda: 0.0)
    ledger.start(Start(epoch=1, generation=0))
    return ledger


def people(paths):
    return paths.migration_log.read_text().splitlines()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text())
def test_every_event_is_one_line_in_both(paths, ledger, text):
    """Whatever a stranger calls a genome: no line break, no control sequence reaches the people's log."""
    before = len(people(paths))
    ledger.note(Refused(generation=10, id=text, source=text, detail=text))
    lines = people(paths)
    assert len(lines) == before + 1 == len(read_ledger(paths))
    assert lines[-1].isprintable()
    last = read_ledger(paths)[-1]
    assert (last["kind"], last["generation"]) == ("refused", 10)


def test_who_watches_sees_the_text(paths):
    seen = []
    ledger = Ledger(paths, observe=seen.append)
    ledger.start(Start(epoch=1, generation=0))
    ledger.note(Alone(generation=10), text="nobody\n\x1b[2J")
    assert seen == ["gen 0  epoch 1 starts here", "gen 10  nobody??[2J"]


def test_time_stands_in_its_own_field(paths, ledger):
    ledger.note(Alone(generation=1))
    assert read_ledger(paths)[-1]["time"] == {"unix_s": 0.0}


@pytest.mark.parametrize("name", ["ledger", "migration_log"])
def test_a_line_that_a_crash_cut_short_does_not_swallow_the_next(paths, ledger, name):
    ledger.note(Published(generation=10))
    file = getattr(paths, name)
    with file.open("ab") as torn:
        torn.write(b'{"kind":"impor')
    Ledger(paths).start(Start(epoch=2, generation=10))
    assert [r["kind"] for r in read_ledger(paths)] == ["start", "published", "start"]
    assert len(people(paths)) == 3
    assert "impor" not in file.read_text()


def test_a_later_start_supersedes(paths, ledger):
    ledger.note(Published(generation=10))
    ledger.note(Published(generation=20))
    ledger.start(Start(epoch=2, generation=20))
    ledger.note(Published(generation=20))
    kept = runlog.current(read_ledger(paths))
    assert [(r["kind"], r["generation"]) for r in kept] == [("published", 10), ("start", 20), ("published", 20)]


def test_a_ledger_that_cannot_be_written_stops_the_island(paths, ledger):
    paths.ledger.unlink()
    paths.ledger.mkdir()
    with pytest.raises(StorageError, match="cannot write the ledger"):
        ledger.note(Published(generation=10))


@pytest.mark.usefixtures("ledger")
def test_nothing_is_written_into_a_ledger_that_is_another_process_s_by_now(paths):
    def stop():
        raise FencedError

    before = paths.ledger.read_bytes(), paths.migration_log.read_bytes()
    with pytest.raises(FencedError):
        Ledger(paths, check_owner=stop, observe=pytest.fail).note(Imported(generation=1))
    assert (paths.ledger.read_bytes(), paths.migration_log.read_bytes()) == before

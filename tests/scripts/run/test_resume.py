"""What an island finds and says as it starts."""

from __future__ import annotations

import logging

from atoll.evo import compiler
from atoll.evo.config import island_config
from atoll.evo.paths import SharedPaths
from atoll.scripts.run import resume as start


def test_an_island_shows_that_it_waits_for_a_compiler_and_listens_no_longer_than_that(monkeypatch):
    said: list[str] = []
    monkeypatch.setattr(start, "load_task", lambda *_, **__: compiler.LOG.warning("compiling %s", "it"))
    start.load_for(island_config("a", {}, {}), "auto", say=said.append)
    assert said == ["compiling it"]
    assert not any(isinstance(each, start._Listener) for each in logging.getLogger("atoll.evo.compiler").handlers)


def test_what_a_killed_process_left_half_written_goes_wherever_it_writes(tmp_path):
    paths = SharedPaths(tmp_path).island("a")
    places = (paths.home, paths.checkpoints, paths.inboxes, paths.all_moments, paths.outbox, paths.epochs)
    for place in places:
        place.mkdir(parents=True, exist_ok=True)
        (place / ".tmp-gen-10.safetensors-1-abcd").touch()
        (place / "gen-10.safetensors").touch()
    start.clear_leftovers(paths)
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} == {"gen-10.safetensors"}
    assert sum(path.is_file() for path in tmp_path.rglob("*")) == len(places)

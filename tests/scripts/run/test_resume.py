"""What an island finds and says as it starts."""

from __future__ import annotations

import logging

from atoll.evo import compiler
from atoll.evo.config import island_config
from atoll.scripts.run import resume as start


def test_an_island_shows_that_it_waits_for_a_compiler_and_listens_no_longer_than_that(monkeypatch):
    said: list[str] = []
    monkeypatch.setattr(start, "load_task", lambda *_, **__: compiler.LOG.warning("compiling %s", "it"))
    start.load_for(island_config("a", {}, {}), "auto", say=said.append)
    assert said == ["compiling it"]
    assert not any(isinstance(each, start._Listener) for each in logging.getLogger("atoll.evo.compiler").handlers)

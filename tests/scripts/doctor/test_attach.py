from __future__ import annotations

import json

import pytest

from atoll.scripts.doctor import attach
from atoll.scripts.processes import makers
from tests.scripts.doctor.made_observations import observation, process, thread


@pytest.mark.parametrize("maker", ["OpenMP", None])
@pytest.mark.parametrize("reason", [None, "a running thread's record is not found"])
def test_why_makers_cannot_be_seen_is_told_where_some_were_not(maker, reason, monkeypatch, capsys) -> None:
    monkeypatch.setattr(makers, "check", lambda: reason)
    attach._show(observation(process(thread("main", 0.9), thread(maker, 0.9))), [], is_json=True)
    topics = [finding["topic"] for finding in json.loads(capsys.readouterr().out)["findings"]]
    assert ("makers of threads" in topics) == (maker is None and reason is not None)

"""Real runs in real processes: whatever becomes of them, nothing of them is left."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from atoll.scripts.lab.parallel import run
from atoll.scripts.lab.parallel.run import RunContext
from tests.processes import kill_all_in, slowness

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunContext]:
    """What runs have in common, with a calibration of no length, and with time to start and end on a busy machine."""
    for limit in ("SETUP_LIMIT_S", "GRACE_S"):
        monkeypatch.setattr(run, limit, getattr(run, limit) * slowness())
    try:
        yield RunContext(
            session="test",
            runs=tmp_path / "runs",
            calibration_steps=1,
            ray_address=None,
            here=run.provenance(),
            is_stopping=lambda: False,
            note=lambda _: None,
        )
    finally:
        kill_all_in(tmp_path)

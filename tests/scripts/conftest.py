from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.processes import kill_all_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """A shared directory; what still runs on it in the end is killed, whatever the scripts remember of it."""
    try:
        yield tmp_path / "s"
    finally:
        kill_all_in(tmp_path)

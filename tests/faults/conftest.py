"""Worlds that are broken live in memory: a kill finds there as much as on a disk, and a sync costs nothing."""

from tests.scripts.run.conftest import root, tmp_path

__all__ = ["root", "tmp_path"]

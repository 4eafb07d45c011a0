"""Archipelagos for the tests of migration."""

from __future__ import annotations

import pytest

from tests.migration.archipelago import InMemory, OnDisk


@pytest.fixture
def disk(tmp_path):
    return OnDisk(tmp_path / "shared")


@pytest.fixture(params=[OnDisk, InMemory], ids=["directory", "memory"])
def world(request, tmp_path):
    """Either archipelago; what holds for one holds for the other."""
    return request.param(tmp_path / "shared")

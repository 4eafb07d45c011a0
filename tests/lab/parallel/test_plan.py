from __future__ import annotations

from dataclasses import replace

import pytest

from atoll.evo.errors import ConfigError
from atoll.scripts.lab.parallel import plan
from atoll.scripts.lab.parallel.plan import OtherMachineError, Plan
from atoll.scripts.lab.parallel.setting import Setting
from tests.lab.parallel.made_rows import PROVENANCE

PLAN = Plan("s", (Setting("pool", "tiny"), Setting("loky", "small")), 3, 1, "here", "boot", 100, 3.0, 4, None)


def test_a_plan_is_read_as_it_was_written_and_never_overwritten(tmp_path):
    folder = tmp_path / "table"
    plan.save(PLAN, folder)
    assert plan.load(folder) == PLAN
    with pytest.raises(ConfigError, match="holds a table already"):
        plan.save(replace(PLAN, seed=2), folder)
    assert plan.load(folder) == PLAN


def test_where_no_table_was_begun_none_is_resumed(tmp_path):
    with pytest.raises(ConfigError, match="holds no table"):
        plan.load(tmp_path)


@pytest.mark.parametrize("change", [{"host": "elsewhere"}, {"boot_id": "later"}])
def test_another_host_and_another_boot_are_refused(change):
    plan.check_same_machine(PLAN, PROVENANCE)
    with pytest.raises(OtherMachineError, match="never share a table"):
        plan.check_same_machine(replace(PLAN, **change), PROVENANCE)


@pytest.mark.parametrize("change", [{"n_blocks": 0}, {"tries": 0}, {"deadline_factor": 0.0}])
def test_a_plan_of_nothing_is_refused(change):
    with pytest.raises(ConfigError):
        replace(PLAN, **change)


def test_the_boot_has_a_name():
    assert plan.boot_id() == plan.boot_id() != ""

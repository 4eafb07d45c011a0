from __future__ import annotations

import pytest

from atoll.evo.errors import ConfigError
from atoll.scripts.lab.kit import stats
from atoll.scripts.lab.parallel.arms import arm
from atoll.scripts.lab.parallel.plan import CORE, TABLES, tables_named
from atoll.scripts.lab.parallel.setting import FAULTS, NATIVE


def test_every_arm_is_run_and_befallen_by_every_fault():
    run = {setting.arm for table in TABLES.values() for setting in table.settings if table.fault is None}
    assert run == set(arm.ARMS)
    for fault in FAULTS:
        befallen = {setting.arm for table in TABLES.values() for setting in table.settings if setting.fault == fault}
        assert befallen == set(arm.ARMS) - {"sequential", "gpu_batch"}


def test_core_arms_have_enough_blocks_to_be_tested_and_all_others_are_described():
    assert stats.coverage(TABLES["core"].n_blocks) >= stats.LEVEL
    assert {setting.arm for setting in TABLES["core"].settings} == set(CORE)
    assert all(stats.coverage(table.n_blocks) < stats.LEVEL for name, table in TABLES.items() if name != "core")


def test_a_setting_of_several_grids_is_run_once_and_production_natively():
    for table in TABLES.values():
        assert len(set(table.settings)) == len(table.settings)
        assert {setting.tier for setting in table.settings} == {table.tier}
    assert {setting.evaluator for setting in TABLES["production"].settings} == {NATIVE}


def test_tables_are_asked_for_by_name():
    assert tables_named(()) == TABLES
    assert list(tables_named(["small", "core"])) == ["small", "core"]
    with pytest.raises(ConfigError, match="no table 'c'; there are core, small"):
        tables_named(["c"])

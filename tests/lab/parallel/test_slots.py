from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll.evo.errors import ConfigError
from atoll.scripts.lab.parallel import plan
from atoll.scripts.lab.parallel.plan import Factors, Slot
from atoll.scripts.lab.parallel.rows import RunRow
from atoll.scripts.lab.parallel.setting import Setting
from tests.lab.parallel.made_rows import changed, run_row, trial

COMMON = Setting("sequential", "tiny")
SOME = plan.settings_of(Factors(("sequential", "process_pool", "islands"), workers=(1, 2)), COMMON)
BASELINE = Setting("sequential", "tiny")


def row_of(slot: Slot, **changes):
    row = replace(run_row(()), block=slot.block, order=slot.order, is_repeat=slot.is_repeat, setting=slot.setting)
    return changed(row, **changes)


def test_every_combination_that_makes_sense_is_a_setting_once():
    assert len(SOME) == len(set(SOME)) == 1 + 2 + 2
    assert {each.start_method for each in SOME} == {None, "spawn"}
    factors = Factors(
        ("sequential", "optuna_threads", "islands"),
        threads=("1", "default"),
        limits=("before_import", "set_num_threads"),
        start_methods=("fork",),
        migrate_every=(0, 5),
        workers=(2,),
    )
    found = plan.settings_of(factors, replace(COMMON, sampler="tpe"))
    assert len(found) == len(set(found)) == 3 + 3 + 6
    assert {each.limit for each in found if each.threads == "default"} == {"none"}
    assert {each.sampler for each in found} == {None, "tpe"}
    assert {each.sampler for each in found if each.arm == "optuna_threads"} == {"tpe"}
    assert {each.start_method for each in found} == {None}


@pytest.mark.parametrize(
    ("factors", "common", "said"),
    [
        (Factors(("seqential",)), COMMON, "did you mean 'sequential'"),
        (Factors(("pool",), threads=()), COMMON, "every list needs a value"),
        (Factors(("pool",)), replace(COMMON, tier="huge"), "--tier"),
        (Factors(("pool",), workers=(0,)), COMMON, "--workers"),
    ],
)
def test_what_cannot_be_compared_is_refused(factors, common, said):
    with pytest.raises(ConfigError, match=said):
        plan.settings_of(factors, common)


@given(st.integers(1, 50), st.integers(0, 1000))
def test_a_block_has_every_setting_once_and_the_baseline_twice_in_a_fixed_order(number, seed):
    block = plan.block(number, SOME, seed=seed)
    assert block == plan.block(number, SOME, seed=seed)
    assert Counter(slot.setting for slot in block) == Counter([*SOME, BASELINE])
    assert [slot.order for slot in block] == list(range(len(SOME) + 1))
    repeats = [slot for slot in block if slot.is_repeat]
    assert [slot.setting for slot in repeats] == [BASELINE]
    assert min(slot.order for slot in block if slot.setting == BASELINE) < repeats[0].order


def test_blocks_differ_in_their_order():
    orders = {tuple(slot.setting for slot in plan.block(number, SOME, seed=1)) for number in range(1, 11)}
    assert len(orders) > 5


def test_faults_and_factors_never_touch_the_baseline_and_each_evaluator_has_its_own():
    settings = [replace(SOME[1], fault="kill"), replace(SOME[1], evaluator="native", wait_policy="passive")]
    table = plan.slots_of(settings, n_blocks=2, seed=1)
    baselines = [BASELINE, replace(BASELINE, evaluator="native")]
    assert [slot.setting for slot in table if slot.block == 0] == [replace(each, n_trials=1) for each in baselines]
    assert Counter(slot.setting for slot in table if slot.block == 1) == Counter([*settings, *baselines * 2])


@given(st.sets(st.integers(0, 13)), st.sets(st.integers(0, 13)))
def test_what_remains_is_what_has_neither_a_row_that_counts_nor_all_its_tries(counted, rejected):
    slots = plan.slots_of(SOME, n_blocks=2, seed=1)
    bad = [row_of(slots[index % len(slots)], rejected="noise") for index in sorted(rejected)]
    good = [row_of(slots[index % len(slots)]) for index in sorted(counted)]
    places = {index % len(slots) for index in counted}
    left = plan.remaining(slots, [*bad, *good], tries=3)
    assert left == [slot for index, slot in enumerate(slots) if index not in places]
    given_up = places | {index % len(slots) for index in rejected}
    left = plan.remaining(slots, [*bad * 3, *good], tries=3)
    assert left == [slot for index, slot in enumerate(slots) if index not in given_up]


def test_the_sequential_time_is_the_median_and_fewer_trials_are_scaled_up():
    warm, first, second = plan.warm_up(SOME)[0], Slot(1, 0, BASELINE), Slot(1, 4, BASELINE, is_repeat=True)
    assert plan.sequential_s(SOME[1], []) is None
    one = row_of(warm, trials=(trial(0, 2.0, 3.0),), launched_s=0.0, exited_s=3.5, outcome="finished")
    assert plan.sequential_s(SOME[1], [one]) == pytest.approx(2.5 + 4.0)
    four = tuple(trial(index, 1.0 + index, 2.0 + index) for index in range(4))
    others = [row_of(slot, trials=four, launched_s=0.0, exited_s=6.0, outcome="finished") for slot in (first, second)]
    assert plan.sequential_s(SOME[1], [one, *others]) == pytest.approx(6.0)
    assert plan.sequential_s(replace(SOME[1], evaluator="native"), [one, *others]) is None


def test_a_row_tells_its_setting():
    setting = Setting(
        "islands", "small", workers=3, wait_policy="passive", migrate_every=4, fault="hang", n_trials=5, seed=6
    )
    assert RunRow.from_json(row_of(Slot(1, 0, setting)).to_json()).setting == setting

"""What a gene's owner means is a name; tables may be renumbered, names never change."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll.evo import ancestry
from atoll.evo.genome import GenomeSpec, Population, Segment
from tests.strategies import painted, seeds

SPEC = GenomeSpec((Segment("x", 4),))
tables = st.lists(st.sampled_from("abcdefgh"), min_size=1, unique=True).map(tuple)


def names(population):
    """Return the island's name that each gene descends from, [P, D]."""
    return np.asarray(population.islands)[population.ancestry]


def is_valid(population):
    table = population.islands
    return population.ancestry.dtype == np.uint16 and len(set(table)) == len(table) and np.all(names(population) != "")


def test_founders_descend_from_their_island():
    painted = ancestry.of_founders((3, 4))
    assert set(names(Population(np.zeros((3, 4), np.float32), painted, ("me",))).ravel()) == {"me"}
    assert painted.dtype == np.uint16


@given(tables, tables)
def test_a_merged_table_keeps_my_numbers_and_holds_all_names_once(mine, theirs):
    merged = ancestry.merge_tables(mine, theirs)
    assert merged[: len(mine)] == mine
    assert set(merged) == {*mine, *theirs}
    assert len(set(merged)) == len(merged)
    assert ancestry.merge_tables(merged, theirs) == merged


@given(tables, tables, seeds)
def test_translation_keeps_every_name(mine, others, seed):
    population = painted(SPEC, 5, seed=seed, islands=mine)
    for table in (ancestry.merge_tables(mine, others), ancestry.merge_tables(others, mine)):
        translated = ancestry.translate(population, table)
        assert translated.islands == table
        assert is_valid(translated)
        np.testing.assert_array_equal(names(translated), names(population))
        np.testing.assert_array_equal(translated.genes, population.genes)


@pytest.mark.parametrize("table", [("b",), ("b", "a")])
def test_translation_into_a_table_without_the_name_is_an_error(table):
    with pytest.raises(ValueError, match="not in tuple"):
        ancestry.translate(painted(SPEC, 2, seed=0, islands=("a", "c")), table)


@given(tables, seeds)
def test_a_compact_table_keeps_every_name_and_holds_no_other(islands, seed):
    population = painted(SPEC, 2, seed=seed, islands=islands)
    compact = ancestry.compact(population)
    np.testing.assert_array_equal(names(compact), names(population))
    assert set(compact.islands) == set(names(population).ravel())
    assert is_valid(compact)
    again = ancestry.compact(compact)
    assert again.islands == compact.islands
    np.testing.assert_array_equal(again.ancestry, compact.ancestry)


@given(tables, tables, seeds, st.data())
def test_newcomers_bring_their_names_and_the_others_keep_theirs(mine, theirs, seed, data):
    population = painted(SPEC, 5, seed=seed, islands=mine)
    n = data.draw(st.integers(0, 5))
    newcomers = painted(SPEC, n, seed=seed + 1, islands=theirs)
    places = np.random.default_rng(seed).permutation(5)[:n]
    before = population.genes.tobytes(), population.ancestry.tobytes(), newcomers.ancestry.tobytes()
    replaced = ancestry.replace(population, places, newcomers)
    stay = np.setdiff1d(np.arange(5), places)
    for part, expected, here in ((places, newcomers, np.arange(n)), (stay, population, stay)):
        np.testing.assert_array_equal(names(replaced)[part], names(expected)[here])
        np.testing.assert_array_equal(replaced.genes[part], expected.genes[here])
    assert replaced.islands[: len(mine)] == mine
    assert is_valid(replaced)
    assert before == (population.genes.tobytes(), population.ancestry.tobytes(), newcomers.ancestry.tobytes())


@pytest.mark.parametrize("few", [0, ancestry.FEW_ISLANDS])
@given(tables, seeds, st.integers(1, 6))
def test_shares_count_genes_by_name_and_sum_to_one(few, islands, seed, n):
    population = painted(SPEC, n, seed=seed, islands=islands)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ancestry, "FEW_ISLANDS", few)
        shares = ancestry.shares(population)
    assert abs(sum(shares.values()) - 1) < 1e-12
    for name in islands:
        assert shares.get(name, 0.0) == np.mean(names(population) == name)
    assert all(shares.values())
    assert shares == ancestry.shares(ancestry.compact(population))

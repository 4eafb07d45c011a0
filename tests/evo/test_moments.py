"""Laws of the moments that an island keeps: they survive the file to the bit, and nothing else is taken for them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll.evo import arrayfile, moments
from atoll.evo.diversity import Moments, fixation_index, fixation_index_of
from atoll.evo.diversity import moments as moments_of
from atoll.evo.errors import DamagedFileError
from tests.strategies import painted, seeds, specs


@given(specs(), seeds, st.lists(st.integers(1, 9), min_size=2, max_size=4))
def test_f_st_from_the_files_is_that_of_the_genes_to_the_bit(spec, seed, sizes):
    groups = [painted(spec, n, seed=seed + i).genes for i, n in enumerate(sizes)]
    kept = [moments.decode(moments.encode(10, moments_of(genes, spec))) for genes in groups]
    assert fixation_index_of(kept) == fixation_index(groups, spec)


@given(specs(), seeds, st.integers(1, 9))
def test_equal_moments_give_equal_bytes(spec, seed, n):
    genes = painted(spec, n, seed=seed).genes
    assert moments.encode(3, moments_of(genes, spec)) == moments.encode(3, moments_of(genes.copy(), spec))


GOOD = {"format": 1, "kind": "moments", "generation": 3, "individuals": 4, "squares": 0.5}
MEAN = np.full(3, 0.5)


def test_what_is_whole_is_read():
    found = moments.decode(arrayfile.encode({"mean": MEAN}, GOOD))
    assert (found.individuals, found.squares, found.mean.tolist()) == (4, 0.5, MEAN.tolist())
    assert moments.encode(3, Moments(4, MEAN, 0.5)) == arrayfile.encode({"mean": MEAN}, GOOD)


@pytest.mark.parametrize(
    ("changes", "mean"),
    [
        ({"kind": "champion"}, MEAN),
        ({"format": 2}, MEAN),
        ({"individuals": 0}, MEAN),
        ({"individuals": True}, MEAN),
        ({"individuals": "4"}, MEAN),
        ({"squares": -1.0}, MEAN),
        ({"squares": None}, MEAN),
        ({}, MEAN.astype(np.float32)),
        ({}, MEAN[None]),
        ({}, MEAN * np.nan),
    ],
    ids=str,
)
def test_what_only_looks_like_moments_is_refused(changes, mean):
    with pytest.raises(DamagedFileError, match="moments"):
        moments.decode(arrayfile.encode({"mean": mean}, {**GOOD, **changes}))
    with pytest.raises(DamagedFileError):
        moments.decode(arrayfile.encode({}, GOOD))

"""Laws of shares: they are the generation, each genome once, and the same request has the same name everywhere."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll.migration.team.shares import Share, cut, request_key, rows_sha256, with_checks

CUTS = st.tuples(st.integers(1, 3000), st.integers(1, 70), st.integers(1, 400))
"""Genomes, members, genomes of the least share."""


def genes_of(n, seed=0):
    return np.random.default_rng(seed).standard_normal((n, 5)).astype(np.float32)


def key_of(genes, shares, episode):
    return request_key([rows_sha256(genes, share) for share in shares], episode=episode)


def cut_of(sizes):
    n, members, least = sizes
    return cut(n, members, least=least)


@given(CUTS)
def test_shares_are_the_generation_each_genome_once(sizes):
    shares = cut_of(sizes)
    assert [genome for share in shares for genome in range(share.first, share.end)] == list(range(sizes[0]))
    assert all(share.n > 0 for share in shares)
    assert not any(share.copy for share in shares)


@given(CUTS)
def test_shares_never_grow_but_for_what_rounding_adds(sizes):
    """So that whoever is last at the end has little left to do."""
    ns = [share.n for share in cut_of(sizes)]
    assert all(after <= before + 1 for before, after in pairwise(ns))


@given(CUTS)
def test_no_share_is_smaller_than_the_least_if_all_can_have_that(sizes):
    n, members, least = sizes
    ns = [share.n for share in cut_of(sizes)]
    assert min(ns) >= min(least, n // members)


@given(CUTS)
def test_all_members_get_a_share_if_there_are_as_many_genomes(sizes):
    n, members, _ = sizes
    assert len(cut_of(sizes)) >= min(n, members)


def test_each_round_cuts_half_of_what_is_left_into_one_share_for_each():
    ns = [share.n for share in cut(1024, 4, least=16)]
    assert ns == [128] * 4 + [64] * 4 + [32] * 4 + [16] * 8


@given(CUTS, st.binary(min_size=1, max_size=8), st.floats(0.0, 1.0))
def test_checks_are_copies_of_shares_behind_them_the_same_wherever_they_are_drawn(sizes, key, rate):
    shares = cut_of(sizes)
    checked = with_checks(shares, key=key, rate=rate)
    assert checked == with_checks(list(shares), key=bytes(key), rate=rate)
    assert checked[: len(shares)] == shares
    copies = checked[len(shares) :]
    assert [Share(copy.first, copy.end) for copy in copies] == [
        share for share in shares if Share(share.first, share.end, 1) in copies
    ]


@given(CUTS, st.binary(min_size=1, max_size=8))
def test_none_is_checked_at_rate_0_and_each_once_at_rate_1(sizes, key):
    shares = cut_of(sizes)
    assert with_checks(shares, key=key, rate=0.0) == shares
    assert with_checks(shares, key=key, rate=1.0)[len(shares) :] == [Share(s.first, s.end, 1) for s in shares]


@given(CUTS, st.binary(min_size=1, max_size=8), st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_whoever_is_checked_at_a_rate_is_checked_at_each_higher_one(sizes, key, one, other):
    shares = cut_of(sizes)
    few, many = (set(with_checks(shares, key=key, rate=rate)) for rate in sorted((one, other)))
    assert few <= many


def test_about_as_many_are_checked_as_the_rate_says():
    shares = [Share(n, n + 1) for n in range(2000)]
    assert len(with_checks(shares, key=b"k", rate=0.1)) - len(shares) == pytest.approx(200, abs=50)


@given(st.integers(2, 60), st.data())
def test_a_request_has_another_key_for_another_gene_episode_or_cut(n, data):
    genes = genes_of(n)
    members = data.draw(st.integers(1, 8))
    shares = cut(n, members, least=1)
    key = key_of(genes, shares, 3)
    assert key == key_of(genes.copy(), list(shares), 3)
    changed = genes.copy()
    changed[data.draw(st.integers(0, n - 1)), data.draw(st.integers(0, 4))] += 1
    others = [key_of(changed, shares, 3), key_of(genes, shares, 4), key_of(genes[::-1], shares, 3)]
    if (coarser := [Share(0, n)]) != shares:
        others.append(key_of(genes, coarser, 3))
    assert len({key, *others}) == 1 + len(others)


def test_the_hash_of_a_share_is_that_of_its_rows_wherever_they_lie():
    genes = genes_of(9)
    share = Share(2, 7)
    assert rows_sha256(genes, share) == rows_sha256(genes[2:7], Share(0, 5))
    assert rows_sha256(np.asfortranarray(genes), share) == rows_sha256(genes, share)
    assert rows_sha256(genes.astype(">f4"), share) == rows_sha256(genes, share)

"""Laws of a team's files: the first claim and the first scores count, and only scores of these genomes are taken."""

import os
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll.evo import arrayfile
from atoll.migration.pool.bounded_io import Reason, RefusedError, VanishedError
from atoll.migration.team.files import FORMAT, Scores, TeamFiles, request_name
from atoll.migration.team.member import this_process
from atoll.migration.team.records import Now, Presence, Request, Scored
from atoll.migration.team.shares import Share, cut, rows_sha256
from tests.migration.archipelago import damage
from tests.migration.team.crew import renamed

NAME = request_name(3, b"\x01" * 32)
GENES = np.arange(40, dtype=np.float32).reshape(8, 5)
SHARES = [Share(0, 5), Share(5, 8)]
REQUEST = Request(3, 3, genomes=8, genes=5, shares=[(0, 5, 0), (5, 8, 0)])
ROWS = rows_sha256(GENES, SHARES[0])
FITNESS = np.linspace(-1, 1, 5).astype(np.float32)
SCORES = Scores(FITNESS, "one", ROWS)
METADATA = {"format": FORMAT, "kind": "scores", "member": "one", "rows_sha256": ROWS}


@pytest.fixture
def files(tmp_path):
    """A team that is asked for eight genomes in two shares."""
    files = TeamFiles(tmp_path / "islands" / "a")
    files.open(NAME, REQUEST, GENES)
    return files


def scores_file(files, share=0):
    return files.folder / NAME / f"scores-{share}"


def read(files):
    return files.read_scores(NAME, 0, n=5, rows_sha256=ROWS)


def refusal(files):
    with pytest.raises(RefusedError) as caught:
        read(files)
    return caught.value.reason


# Claims


def test_the_first_claim_counts(files):
    one, other = renamed(this_process(), "one"), renamed(this_process(), "other")
    assert files.claim(NAME, 0, 1, one)
    assert not files.claim(NAME, 0, 1, other)
    assert files.claimant(NAME, 0, 1) == one
    assert files.claim(NAME, 0, 2, other)
    assert files.claimant(NAME, 0, 2) == other
    assert files.look(NAME, 2).claims == {0: 2}


def test_of_all_who_claim_at_once_one_does(files):
    ready, claimed = threading.Barrier(8), []

    def claim(name):
        ready.wait()
        holder = renamed(this_process(), name)
        claimed.extend((share, name) for share in range(30) if files.claim(NAME, share, 1, holder))

    threads = [threading.Thread(target=claim, args=(f"m{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(share for share, _ in claimed) == list(range(30))
    assert all(files.claimant(NAME, share, 1).member == name for share, name in claimed)


def test_a_claim_that_nobody_can_read_is_one_all_the_same(files):
    (files.folder / NAME / "claim-1-1").write_bytes(b"{")
    assert files.look(NAME, 2).claims == {1: 1}
    assert not files.claim(NAME, 1, 1, this_process())
    assert files.claimant(NAME, 1, 1) is None


def test_nothing_is_claimed_or_scored_of_a_request_that_has_gone(files):
    files.forget_before(4)
    assert not files.claim(NAME, 0, 1, this_process())
    assert not files.put_scores(NAME, 0, SCORES)
    assert files.claimant(NAME, 0, 1) is None
    assert files.look(NAME, 2) == (frozenset(), {})
    with pytest.raises(VanishedError):
        read(files)
    assert list(files.folder.iterdir()) == []


# Scores


def test_the_first_scores_count(files):
    assert files.put_scores(NAME, 0, SCORES)
    assert not files.put_scores(NAME, 0, Scores(FITNESS + 1, "other", ROWS))
    found = read(files)
    assert (found.fitness.tobytes(), found.member, found.rows_sha256) == (FITNESS.tobytes(), "one", ROWS)
    assert files.look(NAME, 2).scored == {0}
    files.drop_scores(NAME, 0)
    assert files.look(NAME, 2).scored == frozenset()
    assert files.put_scores(NAME, 0, Scores(FITNESS, "other", ROWS))


@given(st.data())
def test_scores_that_are_torn_or_damaged_anywhere_are_refused(tmp_path_factory, data):
    files = TeamFiles(tmp_path_factory.mktemp("team"))
    files.open(NAME, REQUEST, GENES)
    files.put_scores(NAME, 0, SCORES)
    whole = scores_file(files).read_bytes()
    place = data.draw(st.integers(0, len(whole) - 1))
    flipped = whole[:place] + bytes([whole[place] ^ 1 << data.draw(st.integers(0, 7))]) + whole[place + 1 :]
    for damaged in (whole[:place], flipped, whole + b"\0"):
        scores_file(files).write_bytes(damaged)
        assert refusal(files) is Reason.DAMAGED


@pytest.mark.parametrize(
    ("arrays", "metadata", "reason"),
    [
        ({"fitness": FITNESS}, {"rows_sha256": "0" * 64}, Reason.MISPLACED),
        ({"fitness": FITNESS}, {"rows_sha256": None}, Reason.MISPLACED),
        ({"fitness": FITNESS}, {"format": FORMAT + 1}, Reason.DAMAGED),
        ({"fitness": FITNESS}, {"kind": "checkpoint"}, Reason.DAMAGED),
        ({"fitness": FITNESS}, {"member": 7}, Reason.DAMAGED),
        ({"fitness": FITNESS[:4]}, {}, Reason.DAMAGED),
        ({"fitness": np.zeros((5, 1), np.float32)}, {}, Reason.DAMAGED),
        ({"fitness": FITNESS.astype(np.float64)}, {}, Reason.DAMAGED),
        ({"fitness": np.where(FITNESS > 0, np.float32(np.nan), FITNESS)}, {}, Reason.DAMAGED),
        ({"fitness": np.where(FITNESS > 0, np.float32(np.inf), FITNESS)}, {}, Reason.DAMAGED),
        ({"scores": FITNESS}, {}, Reason.DAMAGED),
    ],
)
def test_scores_of_other_genomes_or_of_no_finite_numbers_are_refused(files, arrays, metadata, reason):
    scores_file(files).write_bytes(arrayfile.encode(arrays, METADATA | metadata))
    assert refusal(files) is reason


def test_what_is_no_plain_file_is_refused(files, tmp_path):
    scores_file(files).mkdir()
    assert refusal(files) is Reason.NOT_A_FILE
    scores_file(files).rmdir()
    (tmp_path / "elsewhere").write_bytes(arrayfile.encode({"fitness": FITNESS}, METADATA))
    scores_file(files).symlink_to(tmp_path / "elsewhere")
    assert refusal(files)


def test_the_scores_of_a_share_are_none_of_another(files):
    files.put_scores(NAME, 0, SCORES)
    os.link(scores_file(files, 0), scores_file(files, 1))
    with pytest.raises(RefusedError):
        files.read_scores(NAME, 1, n=3, rows_sha256=rows_sha256(GENES, SHARES[1]))


def test_names_of_no_share_are_not_looked_at(files):
    for name in (
        "scores-01",
        "scores-",
        "scores-0.tmp",
        ".tmp-scores-0-1",
        "claim-0",
        "claim-0-0",
        "claim--1-1",
        "x",
        "scores-2",
    ):
        (files.folder / NAME / name).touch()
    assert files.look(NAME, 2) == (frozenset(), {})


# Requests


@given(st.integers(1, 30), st.integers(1, 6), st.integers(1, 9), st.integers(0, 2**31))
def test_a_request_comes_back_with_the_rows_of_each_share(tmp_path_factory, n, size, members, episode):
    files = TeamFiles(tmp_path_factory.mktemp("team"))
    genes = np.random.default_rng(n).standard_normal((n, size)).astype(np.float32)
    shares = cut(n, members, least=1)
    request = Request(7, episode, genomes=n, genes=size, shares=[(share.first, share.end, 0) for share in shares])
    name = request_name(7, bytes(range(32)))
    files.open(name, request, genes)
    assert files.read_request(name) == request
    assert files.requests_of(7) == [name]
    for share in shares:
        rows = files.read_rows(name, share, size)
        assert rows is not None
        assert rows.tobytes() == genes[share.first : share.end].tobytes()


def test_the_genes_go_when_all_is_scored_and_come_back_if_it_is_not(files):
    files.close(NAME)
    assert files.read_rows(NAME, SHARES[0], 5) is None
    files.put_scores(NAME, 0, SCORES)
    files.open(NAME, REQUEST, GENES)
    assert files.read_rows(NAME, SHARES[1], 5).tobytes() == GENES[5:].tobytes()
    assert files.look(NAME, 2).scored == {0}


def test_torn_genes_are_none(files):
    (files.folder / NAME / "genes.f32").write_bytes(GENES.tobytes()[:-1])
    assert files.read_rows(NAME, SHARES[0], 5) is not None
    assert files.read_rows(NAME, SHARES[1], 5) is None


@pytest.mark.parametrize("name", ["", "now.json", "members", "../a", "gen-03-" + "0" * 16, "gen-3-" + "0" * 15])
def test_what_is_named_otherwise_is_no_request(files, name):
    assert files.read_request(name) is None


def test_a_damaged_request_is_none(files):
    damage(files.folder / NAME / "request.json")
    assert files.read_request(NAME) is None


def test_requests_of_earlier_generations_are_forgotten_and_nothing_else(files):
    names = [request_name(generation, bytes([generation]) * 32) for generation in (1, 2, 9, 10, 11)]
    for name in names:
        files.open(name, REQUEST, GENES)
    files.announce(Now(NAME))
    files.show(Presence(**_holder("one"), started_s=1.0))
    files.forget_before(10)
    left = {path.name for path in files.folder.iterdir()}
    assert left == {names[3], names[4], "now.json", "members"}


# What is said, and by whom


def test_nothing_is_asked_for_before_somebody_asks_nor_where_it_cannot_be_read(files):
    assert files.now() == Now()
    files.announce(Now(NAME))
    assert files.now() == Now(NAME)
    (files.folder / "now.json").write_bytes(b'{"request":')
    assert files.now() == Now()


def _holder(name):
    return {field: getattr(this_process(), field) for field in this_process().__struct_fields__} | {"member": name}


def test_members_are_who_says_so_and_strangers_are_left_out(files):
    for name in ("two", "one"):
        files.show(Presence(**_holder(name), started_s=1.0, shares=2))
    (files.folder / "members" / "three.json").write_text("{}")
    (files.folder / "members" / "four.json").mkdir()
    assert [presence.member for presence in files.members()] == ["one", "two"]


def test_the_log_says_who_scored_what(files):
    one = Scored(generation=3, episode=3, genomes=8, by={"one": 5, "two": 3}, refused=1)
    files.note(one)
    files.note(one)
    assert [record["by"] for record in files.history()] == [{"one": 5, "two": 3}] * 2
    assert files.history()[0]["kind"] == "scored"

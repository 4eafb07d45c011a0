"""Laws of a member: a team scores what one process would, whoever dies, is late, comes twice, or hands in rubbish."""

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll.evo import arrayfile
from atoll.evo.errors import TaskError
from atoll.evo.tasks.task import FIRST_FRESH_EPISODE, score
from atoll.evo.turns import Request
from atoll.migration.team import member as members
from atoll.migration.team.files import Scores
from atoll.migration.team.member import Ending
from atoll.migration.team.records import Now
from atoll.migration.team.shares import Share
from tests.migration.archipelago import damage
from tests.migration.team.crew import GENOME_S, Crew, asked_for, dead_process, helps
from tests.problems import Hill, Rock, Weather

KINDS = st.sampled_from([Hill, Rock, Weather])


@pytest.fixture
def crew(tmp_path):
    return Crew(tmp_path / "islands" / "a")


def by_one(asked):
    """Return the bytes of what one process scores."""
    kind = type(asked.task)
    return score(kind(), asked.genes, episode=asked.episode).tobytes()


def n_scored(task):
    return sum(len(genes) for genes, _ in task.asked)


def last(crew):
    """Return the newest line of the team's log."""
    return crew.files.history()[-1]


class Wrong(Hill):
    """Scores one genome of each batch a little too high."""

    def score(self, total, episode):  # noqa: ARG002
        total[-1] = np.nextafter(np.float32(total[-1]), np.float32(np.inf))
        return total


# What one process would score


@given(KINDS, st.lists(st.integers(1, 40), min_size=1, max_size=3), st.integers(1, 9), st.sampled_from([0.0, 0.5, 1.0]))
def test_alone_it_scores_what_one_process_does(tmp_path_factory, kind, sizes, n_members, verify_share):
    """Checks too: nobody else came, so it holds them against its own."""
    crew = Crew(tmp_path_factory.mktemp("team"))
    owner = crew.member("owner", n_members, verify_share=verify_share)
    for generation, n in enumerate(sizes):
        asked = asked_for(crew.task(kind), n, generation)
        assert owner.evaluate(asked).tobytes() == by_one(asked)
        assert asked.task.asked[0][1] == generation


@given(KINDS, st.tuples(st.integers(1, 40), st.integers(1, 9)), st.sampled_from([0.0, 1.0]), st.integers(0, 9))
def test_with_others_it_scores_what_one_process_does(tmp_path_factory, kind, sizes, verify_share, at):
    """They come during its first share, or at one of the moments at which it waits."""
    crew, (n, n_members) = Crew(tmp_path_factory.mktemp("team")), sizes
    owner = crew.member("owner", n_members, verify_share=verify_share)
    helping = [lambda: helps(crew.helper("one"), crew.task(kind)), lambda: helps(crew.helper("two"), crew.task(kind))]
    crew.waits = [lambda: None] * at + helping[:1]
    for generation in range(3):
        asked = asked_for(crew.task(kind, helping[generation % 2]), n, generation)
        assert owner.evaluate(asked).tobytes() == by_one(asked)
        assert sum(last(crew)["by"].values()) == n * (2 if verify_share else 1)


@pytest.mark.parametrize("kind", [Hill, Weather])
def test_with_others_in_threads_it_scores_what_one_process_does(crew, kind, monkeypatch):
    monkeypatch.setattr(members, "WORTH_S", 0.0)
    monkeypatch.setattr(members, "LEAST_SHARE_S", 1e-6)
    real = {"clock": members.time.monotonic, "sleep": members.time.sleep}
    helpers = [crew.member(name, 3, **real) for name in ("one", "two")]
    endings = []
    threads = [
        threading.Thread(
            target=lambda helper=helper: endings.append(
                helper.help(kind(), is_ownerless=lambda: False, check=lambda: None)
            )
        )
        for helper in helpers
    ]
    for thread in threads:
        thread.start()
    owner = crew.member("owner", 3, verify_share=0.5, **real)
    try:
        for generation in range(12):
            asked = asked_for(kind(), 30, generation)
            assert owner.evaluate(asked).tobytes() == by_one(asked)
    finally:
        owner.end()
        for thread in threads:
            thread.join()
    assert endings == [Ending.OVER, Ending.OVER]
    crew_of_three = [owner, *helpers]
    lines = crew.files.history()
    assert sum(each.presence.genomes for each in crew_of_three) >= sum(sum(line["by"].values()) for line in lines)
    assert len(lines) == 12


def test_each_share_is_scored_once_and_the_log_says_by_whom(crew):
    owner, helper = crew.member("owner"), crew.helper()
    theirs = crew.task()
    asked = asked_for(crew.task(meanwhile=lambda: helps(helper, theirs)), 12)
    owner.evaluate(asked)
    assert [len(genes) for genes, _ in asked.task.asked] == [4]
    assert [len(genes) for genes, _ in theirs.asked] == [4, 4]
    line = last(crew)
    assert (line["by"], line["genomes"], line["generation"]) == ({"helper": 8, "owner": 4}, 12, 3)
    assert (line["taken_over"], line["refused"], line["found"]) == (0, 0, 0)
    assert (owner.presence.shares, owner.presence.genomes) == (1, 4)
    assert (helper.presence.shares, helper.presence.genomes) == (2, 8)
    assert helper.presence.evaluate_s == pytest.approx(8 * GENOME_S)


def test_fresh_episodes_and_immigrants_of_one_generation_are_requests_of_their_own(crew):
    owner = crew.member("owner")
    first = asked_for(crew.task(Weather), 12)
    for episode in (first.episode, FIRST_FRESH_EPISODE, FIRST_FRESH_EPISODE + 1):
        for genes in (first.genes, first.genes[:5]):
            asked = Request(first.task, genes, first.generation, episode)
            assert owner.evaluate(asked).tobytes() == by_one(asked)
    assert len(crew.files.requests_of(first.generation)) == 6


def test_a_generation_that_is_evaluated_at_once_is_scored_by_its_owner_alone_who_says_so_once(crew, monkeypatch):
    owner = crew.member("owner")
    owner.evaluate(asked_for(crew.task(), generation=0))
    assert crew.said == []
    monkeypatch.setattr(members, "WORTH_S", 100.0)
    for generation in (1, 2):
        asked = asked_for(crew.task(), generation=generation)
        assert owner.evaluate(asked).tobytes() == by_one(asked)
        assert [len(genes) for genes, _ in asked.task.asked] == [12]
        assert crew.files.requests_of(generation) == []
    assert len(crew.said) == 1
    assert "a team is not worth it" in crew.said[0]


# Claims


def claims_all(crew, holder, *, but=0):
    """Let somebody claim all shares that are asked for but one, and score none."""
    request = crew.files.read_request(crew.request)
    for n in range(len(request.shares)):
        if n != but:
            assert crew.files.claim(crew.request, n, 1, holder)


def test_what_a_dead_process_had_claimed_is_taken_over_at_once(crew):
    owner, dead = crew.member("owner"), dead_process()
    asked = asked_for(crew.task(meanwhile=lambda: claims_all(crew, dead)), 12)
    assert owner.evaluate(asked).tobytes() == by_one(asked)
    assert crew.now_s < 12 * GENOME_S + members.PATIENCE_S / 2
    assert owner.presence.taken_over == last(crew)["taken_over"] == 2
    assert last(crew)["by"] == {"owner": 12}


@pytest.mark.parametrize("n", [3, 60])
def test_a_living_claimant_is_passed_over_after_patience_for_its_share_and_not_before(crew, n):
    """Of 60 genomes a share takes 2 s, so patience is 6 s; of 3 it is the least."""
    owner, helper = crew.member("owner"), crew.member("slow")
    asked = asked_for(crew.task(meanwhile=lambda: claims_all(crew, helper.holder)), n)
    patience_s = max(members.PATIENCE_S, members.PATIENCE * GENOME_S * n / 3)
    assert owner.evaluate(asked).tobytes() == by_one(asked)
    scored_s = GENOME_S * n / 3
    assert crew.now_s - 3 * scored_s > patience_s
    assert owner.presence.waited_s > patience_s
    assert last(crew)["taken_over"] == 2


def test_who_comes_late_but_within_patience_is_waited_for(crew):
    owner, helper = crew.member("owner"), crew.member("slow")
    asked = asked_for(crew.task(meanwhile=lambda: claims_all(crew, helper.holder)), 12)

    def comes():
        if crew.now_s < 12 / 3 * GENOME_S + members.PATIENCE_S * 0.8:
            crew.waits.append(comes)
            return
        request = crew.files.read_request(crew.request)
        for n, (first, end, _) in enumerate(request.shares[1:], start=1):
            put(crew, n, score(Hill(), asked.genes[first:end], episode=3), asked, member="slow")

    crew.waits = [comes]
    assert owner.evaluate(asked).tobytes() == by_one(asked)
    assert last(crew)["by"] == {"owner": 4, "slow": 8}
    assert owner.presence.taken_over == 0


def put(crew, n, fitness, asked, *, member):
    """Put scores of a share there, as a member would."""
    first, end, _ = crew.files.read_request(crew.request).shares[n]
    rows_sha256 = members.cutting.rows_sha256(asked.genes, Share(first, end))
    assert crew.files.put_scores(crew.request, n, Scores(fitness, member, rows_sha256))


def test_scores_that_come_second_are_counted_and_change_nothing(crew):
    """The owner has lost patience, as it were, while the helper was at its share."""
    owner, helper = crew.member("owner"), crew.helper()

    def loses_the_first():
        put(crew, 1, score(Hill(), asked.genes[4:8], episode=3), asked, member="owner")

    theirs = crew.task(meanwhile=loses_the_first)
    asked = asked_for(crew.task(meanwhile=lambda: helps(helper, theirs)), 12)
    assert owner.evaluate(asked).tobytes() == by_one(asked)
    assert helper.presence.duplicates == 1
    assert last(crew)["by"] == {"helper": 4, "owner": 8}


# Scores that are none


@pytest.mark.parametrize("how", ["torn", "empty", "damaged", "of other genomes", "of another share"])
def test_scores_that_are_refused_are_counted_removed_and_scored_again(crew, how):
    owner, helper = crew.member("owner"), crew.helper()

    def spoils():
        helps(helper, crew.task())
        path = crew.files.folder / crew.request / "scores-2"
        if how == "damaged":
            damage(path)
        elif how == "of other genomes":
            path.unlink()
            crew.files.put_scores(crew.request, 2, Scores(np.ones(4, np.float32), "stranger", "0" * 64))
        elif how == "of another share":
            path.write_bytes((path.parent / "scores-1").read_bytes())
        else:
            path.write_bytes(path.read_bytes()[: 40 if how == "torn" else 0])

    asked = asked_for(crew.task(meanwhile=spoils), 12)
    assert owner.evaluate(asked).tobytes() == by_one(asked)
    assert last(crew)["refused"] == 1
    assert last(crew)["by"] == {"helper": 4, "owner": 8}
    assert len(crew.said) == 1
    assert f"scores of share 2 of {crew.request} were refused, and it is scored again" in crew.said[0]


def test_scores_and_claims_of_a_share_that_there_is_not_are_no_bodys(crew):
    owner, helper = crew.member("owner"), crew.helper()

    def strange():
        put(crew, 1, score(Hill(), asked.genes[4:8], episode=3), asked, member="one")
        place = crew.files.folder / crew.request
        (place / "scores-99").write_bytes((place / "scores-1").read_bytes())
        (place / "scores-98").touch()
        (place / "claim-97-1").touch()
        helps(helper, crew.task())

    asked = asked_for(crew.task(meanwhile=strange), 12)
    assert owner.evaluate(asked).tobytes() == by_one(asked)
    assert last(crew)["by"] == {"helper": 4, "one": 4, "owner": 4}


# Another owner


class KilledError(Exception):
    """The process has ended."""


def killed():
    raise KilledError


@given(KINDS, st.integers(1, 40), st.tuples(st.integers(1, 9), st.integers(1, 9)), st.integers(0, 9))
def test_a_new_owner_uses_what_was_scored_for_the_last_one(tmp_path_factory, kind, n, teams, at):
    """However it would cut the generation itself; what the task is asked is the rest."""
    crew, (before, after) = Crew(tmp_path_factory.mktemp("team")), teams
    asked = asked_for(crew.task(kind), n)
    first = crew.member("first", before)
    n_before = len(members.cutting.cut(n, before, least=n))
    task = asked.task
    evaluate = task.evaluate

    def dies(genes, episode):
        if len(task.asked) == at:
            killed()
        return evaluate(genes, episode)

    task.evaluate = dies
    if at < n_before:
        with pytest.raises(KilledError):
            first.evaluate(asked)
    else:
        first.evaluate(asked)
    known = n_scored(task)
    again = asked_for(crew.task(kind), n)
    second = crew.member("second", after)
    assert second.evaluate(again).tobytes() == by_one(again)
    assert n_scored(again.task) == n - known
    assert last(crew)["found"] == min(at, n_before)
    assert last(crew)["genomes"] == n


def test_what_was_scored_of_other_genomes_or_in_another_episode_is_not_used(crew):
    crew.member("first").evaluate(asked_for(crew.task(Weather), 12, generation=3))
    for asked in (asked_for(crew.task(Weather), 12, seed=1), asked_for(crew.task(Weather), 12, generation=4)):
        owner = crew.member("second")
        assert owner.evaluate(asked).tobytes() == by_one(asked)
        assert n_scored(asked.task) == 12
        assert last(crew)["refused"] == 0
    assert len(crew.files.requests_of(3)) == 2


# Checks


def scorers(crew):
    """Return who scored each share of what was asked for last."""
    shares = range(len(crew.files.read_request(crew.request).shares))
    paths = [crew.files.folder / crew.request / f"scores-{n}" for n in shares]
    return [arrayfile.decode(path.read_bytes())[1]["member"] for path in paths]


def test_another_member_checks_what_one_has_scored(crew):
    owner = crew.member("owner", 2, verify_share=1.0)
    helper = crew.helper()
    asked = asked_for(crew.task(meanwhile=lambda: helps(helper, crew.task())), 12)
    assert owner.evaluate(asked).tobytes() == by_one(asked)
    who = scorers(crew)
    assert len(who) == 4
    assert all({who[n], who[n + 2]} == {"owner", "helper"} for n in (0, 1))
    assert crew.now_s < members.PATIENCE_S + 24 * GENOME_S
    assert last(crew)["checked"] == 2
    assert owner.presence.checked + helper.presence.checked == 2


@pytest.mark.parametrize("is_owner_wrong", [False, True])
def test_a_wrong_score_stops_the_team_with_both_values_and_names(crew, is_owner_wrong):
    ours, theirs = (Wrong, Hill) if is_owner_wrong else (Hill, Wrong)
    owner = crew.member("owner", 2, verify_share=1.0)
    helper, bystander = crew.helper(), crew.helper("bystander")
    asked = asked_for(crew.task(ours, lambda: helps(helper, crew.task(theirs))), 12)
    with pytest.raises(TaskError) as caught:
        owner.evaluate(asked)
    text = str(caught.value)
    shares = [asked.genes[:6], asked.genes[6:]]
    values = {kind: score(kind(), shares[0], episode=3)[5] for kind in (ours, theirs)}
    assert f"owner {float(values[ours])!r}" in text
    assert f"helper {float(values[theirs])!r}" in text
    assert "scored genome 5 of generation 3 differently" in text
    assert "tasks check" in text
    assert "\n" not in text
    with pytest.raises(TaskError) as told:
        bystander.help(crew.task(), is_ownerless=never, check=never)
    assert str(told.value) == text


def never():
    raise AssertionError


def test_of_a_generation_that_was_scored_wrong_nothing_is_kept(crew):
    """Who is wrong once is not trusted with the other shares of it, whether those were checked or not."""
    owner = crew.member("owner", 4, verify_share=0.3)
    helper = crew.helper()
    asked = asked_for(crew.task(meanwhile=lambda: helps(helper, crew.task(Wrong))), 40)
    with pytest.raises(TaskError, match="differently"):
        owner.evaluate(asked)
    again = asked_for(crew.task(), 40)
    assert crew.member("next").evaluate(again).tobytes() == by_one(again)
    assert n_scored(again.task) == 40
    assert last(crew)["found"] == 0


# Helpers


@pytest.mark.parametrize("stale", [Now(is_over=True), Now(stopped="two members scored genome 1 differently")])
def test_what_an_earlier_run_said_last_ends_no_helper_that_has_just_joined(crew, stale):
    crew.files.announce(stale)
    helper = crew.helper()
    assert helps(helper, crew.task()) is Ending.OWNERLESS
    asked = asked_for(crew.task(meanwhile=lambda: helps(helper, crew.task())), 12)
    crew.member("owner").evaluate(asked)
    assert last(crew)["by"] == {"helper": 8, "owner": 4}


def test_the_end_of_an_island_that_went_on_is_one_even_if_an_earlier_end_was_said_alike(crew):
    crew.files.announce(Now(is_over=True))
    helper, owner = crew.member("helper"), crew.member("owner")
    owner.evaluate(asked_for(crew.task()))
    assert helps(helper, crew.task()) is Ending.OWNERLESS
    owner.end()
    assert helper.help(crew.task(), is_ownerless=never, check=never) is Ending.OVER


def test_a_helper_ends_when_the_island_does_or_it_is_told_to_stop(crew):
    helper, stopped = crew.member("helper"), crew.member("stopped", is_stopping=lambda: True)
    crew.member("owner").end()
    assert helper.help(crew.task(), is_ownerless=never, check=never) is Ending.OVER
    assert stopped.help(crew.task(), is_ownerless=never, check=never) is Ending.STOPPED


def test_a_helper_that_is_told_to_stop_finishes_its_share_and_takes_no_other(crew):
    stop = []
    helper = crew.member("helper", is_stopping=lambda: bool(stop))
    theirs = crew.task(meanwhile=lambda: stop.append(True))
    asked = asked_for(crew.task(meanwhile=lambda: helps(helper, theirs)), 12)
    assert crew.member("owner").evaluate(asked).tobytes() == by_one(asked)
    assert last(crew)["by"] == {"helper": 4, "owner": 8}
    helper.leave()
    assert [presence.has_left for presence in crew.files.members() if presence.member == "helper"] == [True]


def test_a_helper_is_checked_before_it_claims_anything(crew):
    helper = crew.helper()
    theirs = crew.task()

    def joins():
        with pytest.raises(TaskError, match="another build"):
            helper.help(theirs, is_ownerless=never, check=refused)
        assert set(crew.files.look(crew.request, 3).claims) == {0}

    def refused():
        raise TaskError("another build")

    asked = asked_for(crew.task(meanwhile=joins), 12)
    crew.member("owner").evaluate(asked)
    assert theirs.asked == []
    assert last(crew)["by"] == {"owner": 12}


def test_a_helper_is_checked_once_however_often_it_is_asked(crew):
    helper, checks = crew.member("helper"), []

    def ask(generation):
        if generation < 3:
            crew.member("owner").evaluate(asked_for(crew.task(), generation=generation))
        return generation >= 3

    generations = iter(range(4))
    helper.help(crew.task(), is_ownerless=lambda: ask(next(generations)), check=lambda: checks.append(1))
    assert checks == [1]


def test_a_helper_whose_request_goes_looks_for_the_next(crew):
    """As when its owner has ended, and the next one goes on from an older checkpoint."""
    helper, endings = crew.member("helper"), []

    def goes():
        crew.files.forget_before(99)
        crew.files.announce(Now())

    def joins():
        claims_all(crew, crew.member("slow").holder)
        crew.waits = [goes]
        endings.append(helps(helper, crew.task()))
        killed()

    with pytest.raises(KilledError):
        crew.member("owner").evaluate(asked_for(crew.task(meanwhile=joins)))
    assert endings == [Ending.OWNERLESS]
    assert helper.presence.shares == 0

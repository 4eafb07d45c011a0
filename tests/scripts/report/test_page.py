"""One page holds all it shows, forbids all else, and is written whole."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll.evo.paths import SharedPaths, is_island_name
from atoll.evo.records import Generation, Imported, Start, Time
from atoll.migration.observe.history import History, Life, read_histories
from atoll.migration.observe.status import IslandStatus, read_all
from atoll.migration.observe.team import MemberStatus, Work
from atoll.scripts.report import page
from atoll.scripts.report.champion import Champion
from atoll.scripts.report.page import document, thin
from tests.processes import atoll, check_refused

HOSTILE = "</script><script>window.hacked = 1</script><!--<script>\u2028&lt;{{policy}}{{program}}"


@given(
    st.recursive(
        st.none() | st.text() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_embedded_json_holds_no_markup_and_comes_back(value):
    text = page.embed({"value": value})
    assert not set("<>&") & set(text)
    assert json.loads(text) == {"value": value}


class Scripts(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[list] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        if tag in {"script", "style"}:
            self.found.append([tag, dict(attrs), ""])

    def handle_data(self, data):
        if self.found and not self.found[-1][2]:
            self.found[-1][2] = data


@pytest.fixture(scope="module")
def built() -> str:
    return page.build({"title": HOSTILE})


def test_the_policy_names_exactly_the_code_that_is_there(built):
    scripts = Scripts()
    scripts.feed(built)
    data = [text for tag, attributes, text in scripts.found if attributes.get("type") == "application/json"]
    code = [text for tag, attributes, text in scripts.found if attributes.get("type") != "application/json"]
    assert len(data) == 1
    assert json.loads(data[0]) == {"title": HOSTILE}
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', built)[1]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    hashes = {f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in code}
    assert set(re.findall(r"'sha256-[^']*'", policy)) == hashes
    assert len(code) == 3


def test_the_policy_allows_nothing_else(built):
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', built)[1]
    allowed = {name: sources for name, *sources in map(str.split, policy.split(";"))}
    hashed = allowed.pop("script-src") + allowed.pop("style-src")
    assert all(source.startswith("'sha256-") for source in hashed)
    assert allowed.pop("img-src") == ["data:"]  # the icon
    assert allowed == {name: ["'none'"] for name in ("default-src", "base-uri", "form-action")}
    assert built.index("Content-Security-Policy") < min(map(built.index, ("<style", "<script", "<link", "<body")))


def test_the_page_names_nothing_to_be_fetched(built):
    scripts = Scripts()
    scripts.feed(built)
    assert not scripts.tags & {"img", "iframe", "object", "embed", "form", "base"}
    assert re.findall(r'(?:src|href|action)="(?!#|data:,")[^"]*"', built.split("<script")[0]) == []


def test_the_pages_own_program_never_makes_markup_of_a_text():
    for name in page.PROGRAM:
        text = (page.HERE / f"web/{name}.js").read_text()
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|new Function|fetch\(|XMLHttp|import\(", text
        )


def test_what_would_end_its_own_block_is_refused(monkeypatch, tmp_path):
    (tmp_path / "web").mkdir()
    (tmp_path / "web/x.js").write_text("'</script>'")
    monkeypatch.setattr(page, "HERE", tmp_path)
    with pytest.raises(ValueError, match="own block"):
        page._read("web/x.js")


def test_the_foot_names_the_versions_that_are_there(built):
    versions = json.loads((page.HERE / "vendor/package.json").read_text())["dependencies"]
    assert f"three.js {versions['three']}" in built
    assert f"uPlot {versions['uplot']}" in built
    locked = json.loads((page.HERE / "vendor/package-lock.json").read_text())["packages"]
    assert {name: locked[f"node_modules/{name}"]["version"] for name in versions} == versions
    for name in versions:
        assert "MIT" in (page.HERE / f"vendor/{name}.LICENSE").read_text()


def test_a_place_without_islands_is_refused(tmp_path):
    check_refused(atoll("report", tmp_path, "-o", tmp_path / "x.html"), 2, "nothing to report")
    check_refused(atoll("report", tmp_path / "no" / "where", "-o", tmp_path / "x.html"), 7, "does not exist")
    assert not (tmp_path / "x.html").exists()


@pytest.mark.slow
def test_a_report_says_what_it_wrote(archipelago, tmp_path):
    out = tmp_path / "x.html"
    told = json.loads(atoll("report", archipelago, "-o", out, "--json").stdout)
    assert told == {"page": str(out), "bytes": out.stat().st_size, "islands": 3, "walkers": 3, "notes": []}


@pytest.mark.slow
def test_a_page_that_cannot_be_written_is_refused_under_the_name_that_was_typed_before_anything_is_read(tmp_path):
    out, damaged = tmp_path / "no" / "x.html", tmp_path / "s"
    (damaged / "islands" / "a").mkdir(parents=True)
    (damaged / "islands" / "a" / "log.jsonl").write_text("no log\n")
    refused = (f"cannot write {out}: No such file or directory; name another place with -o",)
    check_refused(atoll("report", damaged, "-o", out), 7, *refused)
    check_refused(atoll("plot", "fitness", damaged, "-o", out.with_suffix(".svg")), 7, "x.svg: No such file")
    check_refused(atoll("show", "a", "--png", out.with_suffix(".png"), "--migration-dir", damaged), 7, "with --png")


@pytest.mark.slow
def test_a_report_changes_nothing(archipelago, tmp_path):
    def state() -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in sorted(archipelago.rglob("*")) if path.is_file()}

    before = state()
    assert atoll("report", archipelago, "-o", tmp_path / "x.html").returncode == 0
    assert state() == before


def status(name: str) -> IslandStatus:
    nothing = dict.fromkeys(IslandStatus.__dataclass_fields__)
    counts = {"exports": 0, "imports": 0, "refused": 0, "waiting_for": (), "team": ()}
    return IslandStatus(**{**nothing, **counts, "name": name, "condition": "running", "target": 9})


def story(name: str, n: int, islands: list[str], **settings: object) -> History:
    share = 1 / len(islands)
    lines = tuple(
        Generation(
            generation=g,
            best=g / 7,
            median=g / 9,
            champion=g / 7,
            diversity=0.123456789,
            ancestry=dict.fromkeys(islands, share),
            time=Time(unix_s=1.7e9 + g),
        )
        for g in range(n)
    )
    arrivals = tuple(
        Imported(
            generation=g,
            source=islands[g % len(islands)],
            source_generation=g,
            fitness_here=g / 3,
            led=True,
            time=Time(unix_s=1.7e9 + g),
        )
        for g in range(0, n, 2)
    )
    lives = (Life(1, 0, n - 1, 1.7e9, 1.7e9 + n, "", 0, "host"),)
    return History(name, 20, lines, lives, Start(generation=0, settings=settings), arrivals, 0)


def shown(histories, **more):
    return document(histories, rows_of(histories), {}, {}, title="t", made="now", **more)


def rows_of(histories):
    return {history.island: status(history.island) for history in histories}


@given(st.lists(st.integers(0, 10_000), max_size=700), st.integers(2, 300))
def test_thinned_numbers_are_some_of_them_with_both_ends(numbers, at_most):
    kept = thin(numbers, at_most=at_most)
    assert kept == sorted(set(kept))
    assert set(kept) <= set(numbers)
    assert len(kept) <= at_most
    if numbers:
        assert {min(numbers), max(numbers)} <= set(kept)


@pytest.mark.slow
def test_a_huge_run_stays_a_small_document():
    names = [f"island-{i:03}" for i in range(200)]
    told = shown([story(name, 400, names) for name in names])
    assert len(json.dumps(told)) < 4e6
    assert len(told["generations"]) <= page.MAX_POINTS
    assert len(told["arrivals"]) == page.MAX_ARRIVALS
    assert any("arrivals" in note for note in told["notes"])
    assert len(told["ancestry"]["founders"]) == page.MAX_FOUNDERS + 1
    for rows in told["ancestry"]["shares"][:3]:
        np.testing.assert_allclose(np.sum(rows, axis=0), 1e4, atol=page.MAX_FOUNDERS)


def test_settings_are_told_where_islands_differ_and_where_not():
    told = shown([story("a", 2, ["a"], rate=0.1, size=5), story("b", 2, ["a"], rate=0.2, size=5), story("c", 0, ["a"])])
    assert told["settings"] == [{"name": "rate", "values": ["0.1", "0.2", ""]}]
    assert told["shared_settings"] == [["size", "5"]]


def test_generations_that_an_island_has_not_lived_are_gaps():
    told = shown([story("a", 5, ["a"]), story("b", 2, ["a"])])
    assert told["generations"] == [0, 1, 2, 3, 4]
    assert told["islands"][1]["curves"]["best"][2:] == [None, None, None]
    assert told["islands"][1]["generation"] == 1
    assert told["ancestry"]["shares"][1][0][2:] == [None, None, None]


def test_arrivals_are_in_order_of_time():
    told = shown([story("a", 9, ["a", "b"]), story("b", 9, ["a", "b"])])
    times = [arrival[0] for arrival in told["arrivals"]]
    assert times == sorted(times)
    assert told["givers"] == ["a", "b"]


def work(**genomes: int) -> Work:
    return Work(7, genomes, dict.fromkeys(genomes, 3), 2.5, taken_over=1, checked=2, refused=0, unreadable_lines=0)


def member(name: str) -> MemberStatus:
    return MemberStatus(name, "alive", False, 5, 50, 1, 9.0, 0.5, 1, 2, 0)  # noqa: FBT003 - it owns nothing


def told_of_team(work: Work, *members: MemberStatus) -> dict:
    rows = {"a": replace(status("a"), team=members)}
    told = document([story("a", 2, ["a"])], rows, {}, {}, works={"a": work}, title="t", made="now")
    [team] = told["teams"]
    return team


def test_the_members_of_a_team_are_named_by_its_log_and_by_themselves():
    team = told_of_team(work(killed=40, here=60), member("here"), member("idle"))
    assert (team["island"], team["requests"], team["genomes"], team["wall_s"]) == ("a", 7, 100, 2.5)
    assert [(each["name"], each["genomes"], each.get("waited_s")) for each in team["members"]] == [
        ("here", 60, 0.5),
        ("killed", 40, None),
        ("idle", 0, 0.5),
    ]


def test_of_a_huge_team_those_who_scored_most_are_shown_and_all_are_counted():
    team = told_of_team(work(**{f"m{i}": i for i in range(1000)}))
    assert [each["name"] for each in team["members"][:2]] == ["m999", "m998"]
    assert (len(team["members"]), team["n_members"]) == (page.MAX_MEMBERS, 1000)


def test_a_line_of_a_teams_log_that_cannot_be_read_is_noted():
    told = document(
        [story("a", 2, ["a"])],
        rows_of([story("a", 2, ["a"])]),
        {},
        {},
        works={"a": replace(work(x=1), unreadable_lines=2)},
        title="t",
        made="now",
    )
    assert "2 lines of the log of the team of a cannot be read" in told["notes"]


def test_without_a_team_none_is_told_of():
    assert shown([story("a", 2, ["a"])])["teams"] == []


@pytest.mark.parametrize("length", [199, 200, 2000])
def test_texts_are_cut(length):
    told = shown([story("a", 1, ["a"])], notes=["x" * length])
    assert len(told["notes"][0]) <= page.MAX_TEXT + 1


@pytest.mark.parametrize("n_islands", [1, 3, 64, 200])
def test_genes_are_painted_by_their_commonest_origins_and_the_rest_as_one(n_islands):
    names = tuple(f"island-{i:03}" for i in range(n_islands))
    origins = np.random.default_rng(n_islands).permutation(np.repeat(np.arange(n_islands), np.arange(n_islands) + 1))
    task = {"name": "sphere", "segments": [("x", origins.size)], "options": {}, "genome_sha256": ""}
    genome = np.zeros(origins.size, np.float32)
    champion = Champion("a", 3, 1.0, genome, origins.astype(np.uint16), names, task)
    histories = [story("a", 1, ["a"])]
    told = document(histories, rows_of(histories), {"a": champion}, {}, title="t", made="now")
    told = told["islands"][0]["champion"]
    painted = dict(zip(map(chr, range(ord("0"), 128)), told["origins"], strict=False))
    shown = [painted.get(letter) for letter in told["genes"]]
    common = set(names[-page.MAX_PAINTED :])  # the later ones have more genes
    assert shown == [names[origin] if names[origin] in common else None for origin in origins]


def test_the_sum_of_all_others_is_no_islands_name():
    told = shown([story("others", 2, ["others", "b"])])
    assert told["ancestry"]["founders"] == ["b", "others", page.OTHERS]
    assert not is_island_name(page.OTHERS)


def test_what_is_no_finite_number_is_not_known():
    assert page._number(float("nan")) is page._number(float("inf")) is page._number(None) is None
    assert page._number(1.23456789) == 1.23457


@pytest.mark.parametrize(("n", "words"), [(1, "1 line of"), (2, "2 lines of")])
def test_lines_that_cannot_be_read_are_counted(n, words):
    [note] = shown([replace(story("a", 1, ["a"]), n_unreadable=n)])["notes"]
    assert note == f"{words} the logs of a cannot be read"


def test_a_name_that_no_island_can_have_is_cut():
    told = shown([story("a", 2, ["x" * 999])])
    assert told["ancestry"]["founders"] == ["a", "x" * 64, page.OTHERS]
    assert told["givers"] == ["a", "x" * 64]


@pytest.mark.slow
def test_real_kills_and_restarts_are_told(archipelago):
    shared = SharedPaths(archipelago)
    stories = {history.island: history for history in read_histories(shared)}
    rows = {row.name: row for row in read_all(shared)}
    told = document(list(stories.values()), rows, {}, {}, title="t", made="now")["islands"]
    endings = {island["name"]: [life["ending"] for life in island["lives"]] for island in told}
    assert (endings["reef-a"], endings["reef-c"]) == (["finished"], ["stopped", "finished"])
    killed, again = stories["reef-b"].lives
    assert killed.lost == max(killed.last - again.generation, 0)
    assert (killed.ending == "killed") == (killed.lost > 0)
    assert endings["reef-b"][-1] == "finished"
    assert all(
        [each.generation for each in history.lines] == list(range(len(history.lines))) for history in stories.values()
    )
    assert {arrival.source for arrival in stories["reef-c"].arrivals} == {"reef-a", "reef-b"}
    assert stories["reef-c"].settings["mutation_rate"] == 0.02

"""One page holds all it shows, forbids all else, and is written whole."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll.scripts.report import page
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

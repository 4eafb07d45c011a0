"""What `report` says of itself, and of what it is not given."""

from __future__ import annotations

import json

import pytest

from tests.processes import atoll, check_refused


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

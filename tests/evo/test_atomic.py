"""At every instant a reader sees the old bytes, the new bytes or nothing, whichever system call fails."""

import errno
import os
import stat
from pathlib import Path

import pytest

from atoll.evo import atomic
from atoll.evo.errors import StorageError

OLD, NEW = b"old" * 10, b"the new bytes" * 10
CALLS = ("open", "write", "fsync", "close", "replace", "link", "rename")


class Calls:
    """Stands in for `os` inside `atoll.evo.atomic`: notes each call, may fail one of them, may write little at a time.

    Attributes:
        seen: What was called, with the name of the file where the call has one.
    """

    def __init__(self, *, fail_at=None, code=errno.ENOSPC, at_most=None, watch=lambda: None, late=False):
        self.seen = []
        self._fail_at, self._code, self._at_most, self._watch, self._late = fail_at, code, at_most, watch, late

    def __getattr__(self, name):
        real = getattr(os, name)
        return self._wrapped(name, real) if name in CALLS else real

    def _wrapped(self, name, real):
        def call(*arguments, **named):
            self._watch()
            is_failing = len(self.seen) == self._fail_at
            self.seen.append((name, *(Path(a).name for a in arguments if isinstance(a, str | os.PathLike))))
            if is_failing and not (self._late or name == "close"):
                raise OSError(self._code, os.strerror(self._code))
            if name == "write" and self._at_most:
                arguments = (arguments[0], bytes(arguments[1])[: self._at_most])
            answer = real(*arguments, **named)
            self._watch()
            if is_failing:
                raise OSError(self._code, os.strerror(self._code))
            return answer

        return call

    @property
    def names(self):
        return [call[0] for call in self.seen]


def replace_file(path):
    atomic.replace_file(path, NEW, durable=True)


def create_file(path):
    return atomic.create_file(path, NEW, durable=True)


def create_directory(path):
    atomic.create_directory(path, {"a": NEW, "b": NEW}, tag="tag", durable=True)


OPERATIONS = [replace_file, create_file, create_directory]


def content(path):
    """Return what a reader finds at `path`."""
    if path.is_dir():
        return {entry.name: entry.read_bytes() for entry in path.iterdir()}
    return path.read_bytes() if path.exists() else None


WHOLE = {replace_file: NEW, create_file: NEW, create_directory: {"a": NEW, "b": NEW}}


def traced(monkeypatch, operation, path, **how):
    calls = Calls(**how)
    with monkeypatch.context() as patch:
        patch.setattr(atomic, "os", calls)
        try:
            operation(path)
        except OSError as error:
            return calls, error
    return calls, None


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("late", [False, True], ids=["refused", "answer lost"])
def test_whichever_call_fails_nothing_partial_shows_and_nothing_stays_behind(monkeypatch, tmp_path, operation, late):
    n = len(traced(monkeypatch, operation, tmp_path / "count")[0].seen)
    assert n >= 8
    for fail_at in range(n):
        folder = tmp_path / f"{fail_at}"
        folder.mkdir()
        path = folder / "target"
        if operation is replace_file:
            path.write_bytes(OLD)
        before, views = content(path), []
        how = {"fail_at": fail_at, "late": late, "watch": lambda path=path, views=views: views.append(content(path))}
        calls, error = traced(monkeypatch, operation, path, **how)
        is_known_done = late and calls.names[fail_at] == "link"
        assert (error is None) == is_known_done
        assert all(view in (before, WHOLE[operation]) for view in (*views, content(path)))
        assert {entry.name for entry in folder.iterdir()} <= {"target"}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_short_writes_are_continued(monkeypatch, tmp_path, operation):
    calls, error = traced(monkeypatch, operation, tmp_path / "target", at_most=7)
    assert error is None
    assert content(tmp_path / "target") == WHOLE[operation]
    assert calls.names.count("write") > 10


@pytest.mark.parametrize("operation", OPERATIONS)
def test_what_is_durable_is_synced_before_it_shows_and_its_name_after(monkeypatch, tmp_path, operation):
    names = traced(monkeypatch, operation, tmp_path / "target")[0].names
    shows = next(names.index(name) for name in ("replace", "link", "rename") if name in names)
    assert names[:shows].count("fsync") == (3 if operation is create_directory else 1)
    assert names[shows + 1 :] == ["open", "fsync", "close"]
    for opened, synced in zip(
        *([i for i, n in enumerate(names) if n == kind] for kind in ("open", "fsync")), strict=True
    ):
        assert names[opened : synced + 1] in (["open", "write", "fsync"], ["open", "fsync"])


def test_what_is_not_durable_is_not_synced(monkeypatch, tmp_path):
    for operation in (
        lambda path: atomic.replace_file(path, NEW, durable=False),
        lambda path: atomic.create_file(path, NEW, durable=False),
        lambda path: atomic.create_directory(path, {"a": NEW}, tag="tag", durable=False),
    ):
        path = tmp_path / str(len(list(tmp_path.iterdir())))
        assert "fsync" not in traced(monkeypatch, operation, path)[0].names
        assert content(path)


def test_files_of_a_directory_are_written_in_their_order(monkeypatch, tmp_path):
    files = {"z": b"1", "manifest": b"2", "a": b"3"}
    calls, _ = traced(
        monkeypatch, lambda path: atomic.create_directory(path, files, tag="tag", durable=False), tmp_path / "target"
    )
    assert [call[1] for call in calls.seen if call[0] == "open"] == ["z", "manifest", "a"]


def test_two_attempts_never_share_a_temporary_name(monkeypatch, tmp_path):
    for operation, shows in ((replace_file, "replace"), (create_file, "link"), (create_directory, "rename")):
        attempts = [traced(monkeypatch, operation, tmp_path / shows)[0].seen for _ in range(2)]
        temporary = {call[1] for seen in attempts for call in seen if call[0] == shows}
        assert len(temporary) == 2
        assert all(name.startswith(".tmp-") for name in temporary)


def test_a_file_is_replaced(tmp_path):
    for data in (OLD, NEW, b""):
        atomic.replace_file(tmp_path / "f", data, durable=False)
        assert content(tmp_path / "f") == data


def test_a_file_is_created_once(tmp_path):
    path = tmp_path / "f"
    assert atomic.create_file(path, OLD, durable=True) is True
    assert atomic.create_file(path, NEW, durable=True) is False
    assert content(path) == OLD
    assert path.stat().st_nlink == 1
    assert [entry.name for entry in tmp_path.iterdir()] == ["f"]


@pytest.mark.parametrize("code", [errno.EEXIST, errno.EIO, errno.ESTALE])
def test_a_link_whose_answer_was_lost_still_counts_as_ours(monkeypatch, tmp_path, code):
    """A network file system may carry the link out, lose the answer and report that the name exists: it is us."""
    done = []

    def operation(path):
        done.append(create_file(path))

    calls = traced(monkeypatch, operation, tmp_path / "count")[0]
    place = calls.names.index("link")
    _, error = traced(monkeypatch, operation, tmp_path / "f", fail_at=place, late=True, code=code)
    assert error is None
    assert done == [True, True]
    assert content(tmp_path / "f") == NEW


def test_a_file_system_without_links_says_so(monkeypatch, tmp_path):
    place = traced(monkeypatch, create_file, tmp_path / "count")[0].names.index("link")
    _, error = traced(monkeypatch, create_file, tmp_path / "f", fail_at=place, code=errno.EPERM)
    assert error.errno == errno.EPERM


def test_a_directory_that_holds_something_is_never_replaced(tmp_path):
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "theirs").write_bytes(OLD)
    with pytest.raises(OSError) as refusal:  # noqa: PT011 - the number is checked below
        create_directory(tmp_path / "d")
    assert refusal.value.errno in {errno.ENOTEMPTY, errno.EEXIST}
    assert content(tmp_path / "d") == {"theirs": OLD}
    assert [entry.name for entry in tmp_path.iterdir()] == ["d"]


def test_an_empty_directory_or_none_is_filled(tmp_path):
    (tmp_path / "empty").mkdir()
    for name in ("empty", "new"):
        create_directory(tmp_path / name)
        assert content(tmp_path / name) == WHOLE[create_directory]


def test_a_link_planted_at_the_target_is_replaced_not_followed(tmp_path):
    victim = tmp_path / "victim"
    victim.write_bytes(OLD)
    (tmp_path / "f").symlink_to(victim)
    replace_file(tmp_path / "f")
    assert content(victim) == OLD
    assert not (tmp_path / "f").is_symlink()
    (tmp_path / "g").symlink_to(victim)
    assert create_file(tmp_path / "g") is False
    assert content(victim) == OLD


def test_files_have_the_permissions_that_the_umask_leaves(tmp_path):
    before = os.umask(0o027)
    try:
        replace_file(tmp_path / "f")
        create_file(tmp_path / "g")
        atomic.append_lines(tmp_path / "h", [b"line"])
    finally:
        os.umask(before)
    assert {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in "fgh"} == {0o640}


def test_a_line_is_one_write_at_the_end(monkeypatch, tmp_path):
    path = tmp_path / "log"
    for line in (b"one", b"two"):
        calls, _ = traced(monkeypatch, lambda path, line=line: atomic.append_lines(path, [line]), path)
        assert calls.names == ["open", "write", "close"]
    assert content(path) == b"one\ntwo\n"
    traced(monkeypatch, lambda path: atomic.append_lines(path, [b"three"]), path, at_most=2)
    assert content(path) == b"one\ntwo\nthree\n"


@pytest.mark.parametrize("torn", [b"", b"\n", b"one\n", b"one\ntwo", b"one", b"one\n\ntw", b"one\n" + b"x" * 10_000])
def test_mending_cuts_off_only_what_has_no_newline(tmp_path, torn):
    path = tmp_path / "log"
    path.write_bytes(torn)
    atomic.truncate_torn_line(path)
    whole, newline, _ = torn.rpartition(b"\n")
    assert content(path) == whole + newline
    atomic.truncate_torn_line(path)
    assert content(path) == whole + newline


def test_mending_nothing_makes_nothing(tmp_path):
    atomic.truncate_torn_line(tmp_path / "log")
    assert not (tmp_path / "log").exists()


def test_directories_are_made_moved_and_removed(tmp_path):
    deep = tmp_path / "a" / "b"
    atomic.make_directory(deep)
    atomic.make_directory(deep)
    (deep / "f").write_bytes(OLD)
    atomic.move(tmp_path / "a", tmp_path / "c")
    assert content(tmp_path / "c" / "b") == {"f": OLD}
    atomic.remove_file(tmp_path / "c" / "b" / "f")
    atomic.remove_file(tmp_path / "c" / "b" / "f")
    atomic.remove_directory(tmp_path / "c")
    atomic.remove_directory(tmp_path / "c")
    assert list(tmp_path.iterdir()) == []


def test_what_lies_in_the_place_of_a_directory_is_removed_and_what_it_points_to_is_not(tmp_path):
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "f").write_bytes(OLD)
    (tmp_path / "link").symlink_to(theirs)
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    (tmp_path / "file").write_bytes(OLD)
    for name in ("link", "dangling", "file"):
        atomic.remove_directory(tmp_path / name)
    assert [entry.name for entry in tmp_path.iterdir()] == ["theirs"]
    assert content(theirs) == {"f": OLD}


def test_only_leftovers_are_cleared(tmp_path):
    for name in (".tmp-a", ".trash-b", ".tmp", ".hidden", "gen-1", "tmp-c"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "f").write_bytes(OLD)
    (tmp_path / ".tmp-file").write_bytes(OLD)
    (tmp_path / ".tmp-link").symlink_to(tmp_path / "gen-1")
    for _ in range(2):
        atomic.clear_leftovers(tmp_path)
        assert {entry.name for entry in tmp_path.iterdir()} == {".tmp", ".hidden", "gen-1", "tmp-c"}
    assert content(tmp_path / "gen-1") == {"f": OLD}
    atomic.clear_leftovers(tmp_path / "none")
    atomic.clear_leftovers(tmp_path / "gen-1" / "f")


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        (errno.ENOSPC, "free some space"),
        (errno.EDQUOT, "quota"),
        (errno.EFBIG, "ulimit -f"),
        (errno.EMFILE, "ulimit -n"),
        (errno.ENOENT, "moved or removed"),
        (errno.EACCES, "--migration-dir"),
        (errno.EROFS, "--migration-dir"),
        (errno.EIO, "check the file system"),
    ],
)
@pytest.mark.parametrize("filename", ["/pool/f", None])
def test_a_storage_error_says_what_failed_where_why_and_what_to_do(code, advice, filename):
    with pytest.raises(StorageError) as failure, atomic.storage_errors("write the checkpoint"):
        raise OSError(code, os.strerror(code), filename)
    text = str(failure.value)
    assert text.startswith("cannot write the checkpoint: ")
    assert os.strerror(code) in text
    assert advice in text
    assert (filename or "") in text
    assert "::" not in text
    assert "None" not in text
    assert "\n" not in text


def test_a_storage_error_without_a_number_still_says_why():
    with pytest.raises(StorageError, match="cannot do it: gone wrong; check"), atomic.storage_errors("do it"):
        raise OSError("gone wrong")


def test_other_errors_are_not_storage_errors():
    with pytest.raises(ZeroDivisionError), atomic.storage_errors("divide"):
        raise ZeroDivisionError


@pytest.mark.parametrize(
    "operation", [*OPERATIONS, lambda path: atomic.append_lines(path, [b"line"])], ids=lambda f: f.__name__
)
def test_a_full_disk_is_reported_with_the_file_it_stopped(monkeypatch, tmp_path, operation):
    place = traced(monkeypatch, operation, tmp_path / "count")[0].names.index("write")
    _, error = traced(monkeypatch, operation, tmp_path / "f", fail_at=place)
    assert error.filename.startswith(str(tmp_path))


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_file_system_that_says_done_and_did_nothing_is_not_believed(tmp_path, monkeypatch, operation):
    for name in ("rename", "replace", "link"):
        monkeypatch.setattr(os, name, lambda *_: None)
    with pytest.raises(OSError, match="and is not") as caught:
        operation(tmp_path / "new")
    assert caught.value.errno == errno.EIO
    assert list(tmp_path.iterdir()) == []


def test_a_move_that_did_nothing_is_not_believed(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "rename", lambda *_: None)
    (tmp_path / "old").touch()
    with pytest.raises(OSError, match="and is not"):
        atomic.move(tmp_path / "old", tmp_path / "new")


WRITES = {
    "replace_file": lambda path: atomic.replace_file(path, b"x", durable=False),
    "create_file": lambda path: atomic.create_file(path, b"x", durable=False),
    "create_directory": lambda path: atomic.create_directory(path, {"a": b"x"}, tag="t", durable=False),
    "check_writable": atomic.check_writable,
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
@pytest.mark.parametrize("parent", ["missing", "a file"])
def test_a_failure_names_what_was_wanted_and_no_temporary_file(tmp_path, write, parent):
    (tmp_path / "a file").touch()
    path = tmp_path / parent / "wanted"
    with pytest.raises(OSError, match="wanted") as refused:
        write(path)
    assert (refused.value.filename, refused.value.filename2) == (str(path), None)
    assert atomic.TEMPORARY not in str(refused.value)


def test_a_rename_that_fails_names_what_was_wanted(tmp_path):
    (tmp_path / "wanted" / "full").mkdir(parents=True)
    for name in ("replace_file", "create_directory"):
        with pytest.raises(OSError, match="wanted") as refused:
            WRITES[name](tmp_path / "wanted")
        assert (refused.value.filename, refused.value.filename2) == (str(tmp_path / "wanted"), None)
    assert [each.name for each in tmp_path.iterdir()] == ["wanted"]


def test_looking_whether_a_file_could_be_written_leaves_nothing_and_changes_nothing(tmp_path):
    (tmp_path / "kept").write_bytes(b"kept")
    for name in ("kept", "new"):
        atomic.check_writable(tmp_path / name)
    assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == {"kept": b"kept"}
    with pytest.raises(IsADirectoryError):
        atomic.check_writable(tmp_path)

"""Read an island's private folder as its next start would, and report what is not intact."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atoll.evo import arrayfile, strict_json
from atoll.evo.errors import AtollError, DamagedFileError
from atoll.evo.paths import CHECKPOINT_NAME, TEMPORARY, TRASH, parse_generation
from atoll.migration.observe.history import is_torn, read_lines
from atoll.migration.pool import inbox
from atoll.migration.pool.bounded_io import RefusedError, VanishedError, directory, list_names, read_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from atoll.evo.paths import IslandPaths
    from atoll.migration.observe.findings import Report

MAX_PRIVATE_BYTES = 1 << 30


def verify_home(report: Report, paths: IslandPaths) -> None:
    """Check an island's checkpoints, inbox, champion, log and ledger.

    `migration.log` is left out: it is for people, and says what the ledger says.
    """
    for kind, folder in (("checkpoint", paths.checkpoints), ("inbox", paths.inboxes)):
        for name in _names(report, folder):
            generation = parse_generation(name, CHECKPOINT_NAME)
            if generation is None:
                report.defect(folder / name, f"no name of a file of the {kind}")
            else:
                _verify_arrays(report, folder / name, kind=kind, generation=generation)
    folders = {paths.checkpoints, paths.inboxes}
    files = {paths.log, paths.ledger, paths.migration_log, paths.champion}
    for name in _names(report, paths.home):
        if paths.home / name not in folders | files:
            report.defect(paths.home / name, "not part of an island's private folder")
    _verify_arrays(report, paths.champion, kind="champion")
    for path in (paths.log, paths.ledger):
        _verify_lines(report, path)


def _names(report: Report, folder: Path) -> Iterator[str]:
    try:
        names = list_names(folder)
    except PermissionError as error:
        report.leave_out(f"{folder}: {error.strerror}")
        return
    for name in names:
        if name.startswith((TEMPORARY, TRASH, ".nfs")):
            report.leftover(folder / name)
        else:
            yield name


def _verify_arrays(report: Report, path: Path, *, kind: str, generation: int | None = None) -> None:
    report.check_time()
    try:
        with directory(path.parent) as descriptor:
            data = read_file(descriptor, path.name, limit=MAX_PRIVATE_BYTES)
        _, metadata = arrayfile.decode(data)
        expected = (kind, metadata.get("generation") if generation is None else generation)
        if (metadata.get("kind"), metadata.get("generation")) != expected:
            report.defect(path, f"expected {kind} {generation}, it says {metadata.get('kind')!r} of another generation")
            return
        if kind == "inbox":
            inbox.decode(data)
    except VanishedError:
        return
    except (RefusedError, DamagedFileError) as error:
        report.defect(path, str(error), byte=error.byte)
    except (AtollError, KeyError, TypeError, ValueError) as error:
        report.defect(path, f"not a usable {kind}: {error}")
    else:
        report.count("private_files")


def _verify_lines(report: Report, path: Path) -> None:
    """Check a log line by line; the last one may be torn, since its writer may be at it or have been killed."""
    report.check_time()
    try:
        faults = [_verify_line(report, path, *line) for line in read_lines(path)]
    except VanishedError:
        return
    except RefusedError as error:
        report.defect(path, str(error))
        return
    if not any(faults):
        report.count("private_files")


def _verify_line(report: Report, path: Path, start: int, line: bytes) -> bool:
    """Report what is wrong with a line, and say whether something is."""
    report.check_time()
    if is_torn(line):
        report.leftover(path)
        return False
    try:
        record = strict_json.parse(line)
    except DamagedFileError as error:
        report.defect(path, str(error), byte=start + (error.byte or 0))
        return True
    is_record = isinstance(record, dict) and isinstance(record.get("kind"), str)
    if not is_record or type(record.get("generation")) is not int:
        report.defect(path, "not a record of an island", byte=start)
        return True
    return False

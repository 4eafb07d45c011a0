"""Check a replay against its recording: line by line while it goes on, and by its files when it has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atoll.evo import atomic, checkpoint, runlog
from atoll.evo.checkpoint import Checkpoint
from atoll.evo.errors import ReplayError
from atoll.scripts.run.recording import timeless

if TYPE_CHECKING:
    from atoll.evo.paths import PrivateFiles
    from atoll.evo.runlog import Record
    from atoll.scripts.run.recording import Recording

MAX_SHOWN = 3


def check_line(recording: Recording, record: Record) -> None:
    """Hold one line of the replay's log against the recording; fields that an older version did not write may be new.

    Raises:
        ReplayError: They differ; the generation and what differs are named.
    """
    for line in timeless([record]):
        if line["generation"] > recording.last:
            raise ReplayError(f"the replay has generation {line['generation']}, the recording ends at {recording.last}")
        recorded = recording.lines[line["generation"]]
        names = [name for name in sorted(recorded) if line.get(name) != recorded.get(name)]
        if names:
            shown = "; ".join(f"{name} was {recorded.get(name)}, now {line.get(name)}" for name in names[:MAX_SHOWN])
            raise ReplayError(f"the replay differs from the recording at generation {line['generation']}: {shown}")


def check_whole(recording: Recording, replayed: PrivateFiles) -> str:
    """Hold a finished replay against the recording, and return what is equal, in words.

    Raises:
        ReplayError: A line, the newest checkpoint that both have or the champion differs.
        DamagedFileError: A checkpoint is not intact.
        StorageError: The files cannot be read.
    """
    with atomic.storage_errors("compare the replay with the recording"):
        for record in runlog.current(runlog.read(replayed.log)):
            check_line(recording, record)
        equal = [f"generations 0 to {recording.last}"]
        recorded = checkpoint.kept(recording.files)
        common = sorted({*recorded} & {*checkpoint.kept(replayed)})
        for generation in common:
            if _state(recording.files, generation) != _state(replayed, generation):
                raise ReplayError(f"the replay differs from the recording in the checkpoint of generation {generation}")
        equal += [f"checkpoint gen-{generation}" for generation in common]
        if recorded and recorded[-1] == recording.last:
            if recording.files.champion.read_bytes() != replayed.champion.read_bytes():
                raise ReplayError("the replay differs from the recording in its champion")
            equal.append("champion")
    return ", ".join(equal)


def _state(files: PrivateFiles, generation: int) -> bytes:
    """Return a checkpoint without what may differ: the evaluator, and the generation that was to be reached."""
    state = checkpoint.decode(files.checkpoint(generation).read_bytes()).state
    return checkpoint.encode(Checkpoint(state, {}, ""))

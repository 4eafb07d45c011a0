"""What a power cut may leave: every state that the calls made so far allow, and the syncs do not exclude.

Nothing is taken for granted but this: a sync of a file makes its bytes durable, a sync of a directory makes its names
durable. Of all else any part may be on the disk: each name as it was after any of its changes since the last sync, each
file empty, torn or whole. A rename is two changes, of two names.
"""

from __future__ import annotations

import itertools
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

DRAWS = 4
Tree = tuple[tuple[str, Any], ...]
"""A directory: its names in order, each with the bytes of a file or with another directory."""


@dataclass
class File:
    """A file: its bytes, and what they may be on the disk."""

    data: bytes = b""
    may_be: tuple[bytes, ...] = (b"",)

    def write(self, data: bytes) -> None:
        self.data += data
        self._change()

    def cut(self, size: int) -> None:
        self.data = self.data[:size]
        self._change()

    def _change(self) -> None:
        n = len(self.data)
        self.may_be = (self.may_be[0], *(self.data[:size] for size in (0, 1, n // 2, n - 1, n)))

    def sync(self) -> None:
        self.may_be = (self.data,)

    def states(self) -> set[Any]:
        return set(self.may_be)

    def state(self, rng: np.random.Generator) -> bytes:
        return self.may_be[rng.integers(len(self.may_be))]


@dataclass
class Directory:
    """A directory: what each name has stood for since the last sync, the present at last."""

    names: dict[str, list[File | Directory | None]] = field(default_factory=dict)

    def put(self, name: str, node: File | Directory | None) -> None:
        self.names.setdefault(name, [None]).append(node)

    def get(self, name: str) -> File | Directory | None:
        return self.names.get(name, [None])[-1]

    def sync(self) -> None:
        self.names = {name: nodes[-1:] for name, nodes in self.names.items()}

    def states(self) -> set[Tree]:
        choices = [
            {(name, state) for node in nodes for state in (node.states() if node else {None})}
            for name, nodes in sorted(self.names.items())
        ]
        return {tuple(pair for pair in pairs if pair[1] is not None) for pairs in itertools.product(*choices)}

    def state(self, rng: np.random.Generator) -> Tree:
        chosen = [(name, nodes[rng.integers(len(nodes))]) for name, nodes in sorted(self.names.items())]
        return tuple((name, node.state(rng)) for name, node in chosen if node)


class Disk:
    """Stands between a deed and `os`: does every call, and keeps what a cut right after it could leave.

    Args:
        root: Only what is below it counts, and all that is there at first is durable.
        without: A function of `os` and a number: that call of it is left out.
        rng: Draw a few states after each call, instead of keeping all.

    Attributes:
        states: Every state met so far.
        counts: Calls of each function.
    """

    calls = ("open", "write", "ftruncate", "fsync", "mkdir", "rename", "replace", "link", "unlink", "rmdir")

    def __init__(
        self, root: Path, *, without: tuple[str, int] = ("", 0), rng: np.random.Generator | None = None
    ) -> None:
        self._root, self._without, self._rng = root, without, rng
        self._top = _found(root)
        self._open: dict[int, File | Directory | None] = {}
        self.states: set[Tree] = self._top.states()
        self.counts = dict.fromkeys(self.calls, 0)

    def interposed(self, name: str) -> Callable[..., Any]:
        """Return what stands for one function of `os`."""
        real = getattr(os, name)

        def call(*arguments: Any, **named: Any) -> Any:
            self.counts[name] += 1
            if (name, self.counts[name]) == self._without:
                return None
            answer = real(*arguments, **named)
            if named.get("dir_fd") is None:
                self._note(name, answer, arguments)
            self.states |= self.final_states()
            return answer

        return call

    def final_states(self) -> set[Tree]:
        """Return what a cut from now on could leave."""
        if self._rng is None:
            return self._top.states()
        return {self._top.state(self._rng) for _ in range(DRAWS)}

    def _note(self, name: str, answer: Any, arguments: tuple[Any, ...]) -> None:
        first = arguments[0]
        if name == "open":
            if arguments[1] & os.O_CREAT and self._node(first) is None:
                self._put(first, File())
            self._open[answer] = self._node(first)
        elif name == "mkdir":
            self._put(first, Directory())
        elif name in {"unlink", "rmdir"}:
            self._put(first, None)
        elif name in {"link", "rename", "replace"}:
            self._put(arguments[1], self._node(first))
            if name != "link":
                self._put(first, None)
        else:
            self._note_contents(name, answer, arguments)

    def _note_contents(self, name: str, answer: Any, arguments: tuple[Any, ...]) -> None:
        node = self._open.get(arguments[0])
        if node is not None and name == "fsync":
            node.sync()
        elif isinstance(node, File) and name == "write":
            node.write(bytes(arguments[1])[:answer])
        elif isinstance(node, File) and name == "ftruncate":
            node.cut(arguments[1])

    def _node(self, path: Any) -> File | Directory | None:
        path = Path(path)
        if path == self._root:
            return self._top
        parent = self._node(path.parent) if path.is_relative_to(self._root) else None
        return parent.get(path.name) if isinstance(parent, Directory) else None

    def _put(self, path: Any, node: File | Directory | None) -> None:
        parent = self._node(Path(path).parent)
        if isinstance(parent, Directory):
            parent.put(Path(path).name, node)


def _found(path: Path) -> Directory:
    """Return what lies on a disk, all of it durable."""
    found = Directory()
    for entry in path.iterdir():
        data = b"" if entry.is_dir() else entry.read_bytes()
        found.names[entry.name] = [_found(entry) if entry.is_dir() else File(data, (data,))]
    return found


def restore(tree: Tree, path: Path) -> Path:
    """Write a state where a restart will find it."""
    path.mkdir()
    for name, content in tree:
        if isinstance(content, bytes):
            (path / name).write_bytes(content)
        else:
            restore(content, path / name)
    return path

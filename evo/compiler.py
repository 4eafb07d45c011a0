"""Compiler of C++ kernels: from source to a loaded library, once for each kind of machine.

What is compiled is kept in the user's cache under a name that holds two hashes: of everything it was made from (source,
flags, compiler), so that different machines can share a home, and of its own bytes, so that a file that is cut short or
not ours is never loaded. Without a usable cache a library is loaded from a temporary directory.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import json
import logging
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from atoll.evo import atomic
from atoll.evo.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

LOG = logging.getLogger(__name__)
COMPILERS = ("g++", "clang++", "c++")
COMMON_FLAGS = ("-std=c++17", "-shared", "-fPIC")
SUFFIX = ".so"
HASH_DIGITS = 16
PATIENCE_S = 120.0  # a compiler that takes longer is not waited for
SILENCE_S = 1.0  # a compiler that is waited for longer is spoken of


@dataclass(frozen=True)
class Library:
    """A loaded library."""

    functions: ctypes.CDLL
    sha256: str  # of source, flags and compiler, abbreviated


def find() -> str | None:
    """Return the path of a C++ compiler, if there is one."""
    return next(filter(None, map(shutil.which, COMPILERS)), None)


def load(source: Path, flags: tuple[str, ...], *, cache: Path | None = None) -> Library:
    """Load what `source` compiles to, one C++ file that includes only the standard library.

    `flags` name the processor features to use, all of which must be here.

    Raises:
        ConfigError: There is no compiler, it refuses the source, or what it makes cannot be loaded anywhere.
    """
    compiler = find()
    if compiler is None:
        raise ConfigError(f"no C++ compiler found; install one of {', '.join(COMPILERS)} (Debian: apt install g++)")
    version = _run(compiler, "--version")
    key = key_of(source.read_text(encoding="utf-8"), COMMON_FLAGS, flags, version)
    directory = cache or _user_cache()
    stem = f"{source.stem}-{key}"
    for path in _kept(directory, stem, SUFFIX):
        if library := _open(path):
            return Library(library, key)
    LOG.warning("compiling the kernel %s with %s (once per machine) ...", source.name, compiler)
    try:
        return Library(_build(compiler, (*COMMON_FLAGS, *flags, str(source)), directory, stem), key)
    except OSError as error:
        raise ConfigError(
            f"what {compiler} makes of {source.name} can be loaded neither from {directory or 'a cache'} nor from "
            f"where temporary files go ({error}); point TMPDIR at a directory that may hold programs"
        ) from error


def _build(compiler: str, arguments: tuple[str, ...], cache: Path | None, stem: str) -> ctypes.CDLL:
    """Compile and load a library, and keep it where that is possible."""
    with tempfile.TemporaryDirectory(prefix="atoll-") as temporary:
        built = Path(temporary) / f"{stem}{SUFFIX}"
        _run(compiler, *arguments, "-o", str(built))
        path = _keep(cache, stem, SUFFIX, built.read_bytes())
        return (_open(path) if path else None) or ctypes.CDLL(str(built))  # a loaded file may be removed


def key_of(*origin: object) -> str:
    """Return the name of what is compiled from all this, which JSON can hold."""
    return _digest(json.dumps(origin).encode())


def once(stem: str, suffix: str, make: Callable[[], bytes]) -> bytes:
    """Return what `make` compiles, or what it compiled before under that name."""
    directory = _user_cache()
    for path in _kept(directory, stem, suffix):
        return path.read_bytes()
    made = make()
    _keep(directory, stem, suffix, made)
    return made


def _user_cache() -> Path | None:
    """Return the directory for caches, if there is a home; where they lie changes no result."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    if Path(base).is_absolute():
        return Path(base) / "atoll"
    with contextlib.suppress(RuntimeError):
        return Path.home() / ".cache" / "atoll"
    return None


def _kept(directory: Path | None, stem: str, suffix: str) -> list[Path]:
    """Return the intact files of that stem, if they lie in a directory that nobody else can write to."""
    if directory is None:
        return []
    try:
        where = directory.stat()
        if where.st_uid != os.geteuid() or where.st_mode & 0o022:
            return []
        found = sorted(directory.glob(f"{stem}-*{suffix}"))
        return [path for path in found if path.stem == f"{stem}-{_digest(path.read_bytes())}"]
    except OSError:
        return []  # unreadable is as good as absent


def _keep(directory: Path | None, stem: str, suffix: str, data: bytes) -> Path | None:
    """Put what was compiled into the cache and return its path; None where that is impossible."""
    if directory is None:
        return None
    path = directory / f"{stem}-{_digest(data)}{suffix}"
    try:
        atomic.make_directory(directory, mode=0o700, durable=False)
        atomic.replace_file(path, data, durable=False)
    except OSError:
        return None
    return path


def _open(path: Path) -> ctypes.CDLL | None:
    """Load a library; None where its file system allows no programs."""
    try:
        return ctypes.CDLL(str(path))
    except OSError:
        return None


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:HASH_DIGITS]


def _run(compiler: str, *arguments: str) -> str:
    """Return what the compiler says; if it fails, ConfigError has the first line that names an error."""
    try:
        with subprocess.Popen(  # noqa: S603 - a compiler from PATH, and arguments of our own
            [compiler, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env={**os.environ, "LC_ALL": "C"},
        ) as process:
            out, err = _answer(process, " ".join([compiler, *arguments]) if len(arguments) == 1 else compiler)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConfigError(f"{compiler} does not run: {error}") from error
    if process.returncode:
        lines = err.splitlines() or [f"exit status {process.returncode}"]
        raise ConfigError(f"{compiler} failed: {next((line for line in lines if 'error' in line), lines[0])}")
    return out


def _answer(process: subprocess.Popen[str], what: str) -> tuple[str, str]:
    """Wait for a process to end, saying so if it takes long, and return what it wrote."""
    try:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.communicate(timeout=SILENCE_S)
        LOG.warning("waiting for %s, at most %.0f s ...", what, PATIENCE_S)
        return process.communicate(timeout=PATIENCE_S)
    except BaseException:  # Ctrl-C too: nobody waits for it any more
        process.kill()
        raise

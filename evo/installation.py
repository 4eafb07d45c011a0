"""Is this Python new enough, and are the packages there? Python 3.6 must be able to read this page, to be told no."""

import sys
from importlib.machinery import PathFinder

OLDEST_PYTHON = (3, 11)
REQUIRED = ("click", "numpy", "rich", "filelock", "psutil", "safetensors", "msgspec")
"""The packages that every command may need."""
PACKAGES = (*REQUIRED, "torch")
"""All that is installed. An island on the native evaluator never asks for torch, so neither does its start."""

EXIT_CODE = 2


def check() -> None:
    """End the process in one line if this Python cannot run Atoll; before anything else of Atoll is imported."""
    missing = [name for name in REQUIRED if not _is_there(name)]
    lacking = too_old(sys.version_info[:3]) or (missing and not_installed(*missing))
    if lacking:
        sys.stderr.write(f"error: {lacking}\n")
        sys.exit(EXIT_CODE)


def too_old(version: tuple) -> str:  # type: ignore[type-arg] # Python 3.6 knows no tuple[int, ...]
    """Say that a version of Python is too old; nothing if it is not."""
    if version >= OLDEST_PYTHON:
        return ""
    needed, this = (".".join(map(str, numbers)) for numbers in (OLDEST_PYTHON, version))
    return f"Python {needed} or newer is needed, this is {this} ({sys.executable})"


def not_installed(*missing: str) -> str:
    """Say which package is missing for which Python, and what installs it."""
    advice = "run 'make setup', then '. .venv/bin/activate'"
    if not sys.argv[0].endswith(".py"):
        advice = f"run '{sys.executable} -m pip install {' '.join(missing)}'"
    return f"{missing[0]} is not installed for {sys.executable}: {advice}"


def _is_there(name: str) -> bool:
    if PathFinder.find_spec(name):
        return True
    from importlib.util import find_spec  # noqa: PLC0415 - slow to import, and asks who else may know the package

    return find_spec(name) is not None

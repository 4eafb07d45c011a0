"""Installation: the version of Python, the packages that are there, and the name by which the program was called.

Python 3.6 must be able to read this page, to be told no.
"""

import os
import re
import sys
from importlib.machinery import PathFinder

OLDEST_PYTHON = (3, 11)
REQUIRED = ("click", "numpy", "rich", "filelock", "psutil", "safetensors", "msgspec")
"""The packages that every command may need."""
EXTRAS = {"torch": "reference", "matplotlib": "plot", "PIL": "plot", "pyarrow": "data"}
"""The packages that only some commands need, by the name that is imported, and the extra that installs each."""
CHECKOUT = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))  # noqa: PTH120 - pathlib is slow to import
"""The checkout's directory; of an installed package, its own."""

EXIT_CODE = 2

OF_A_CHECKOUT = program = "python cli.py"
"""The program's name as it was typed, which the door sets; texts hold that of a checkout."""


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
    wanted = [f"'atoll[{EXTRAS[name]}]'" if name in EXTRAS else name for name in missing]
    advice = f"run {sys.executable} -m pip install {' '.join(wanted)}"
    if is_checkout():
        advice = "run 'make setup', then '. .venv/bin/activate'"
    return f"{missing[0]} is not installed for {sys.executable}: {advice}"


def is_checkout() -> bool:
    """Say whether this is a checkout of the project, and no installed package."""
    return os.path.isfile(os.path.join(CHECKOUT, "pyproject.toml"))  # noqa: PTH113, PTH118 - see above


def as_typed(text: str) -> str:
    """Return a text whose hints name the program as it was typed, as in 'atoll status' for 'python cli.py status'."""
    if program == OF_A_CHECKOUT:
        return text
    return re.sub(r"python cli\.py(?= )|(?<=')cli\.py(?= [a-z])", lambda _: program, text)


def _is_there(name: str) -> bool:
    if PathFinder.find_spec(name):
        return True
    from importlib.util import find_spec  # noqa: PLC0415 - slow to import, and asks who else may know the package

    return find_spec(name) is not None

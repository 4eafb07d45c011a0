"""The installed command `atoll`: our packages come first, whatever else is called cli, evo, migration or scripts.

A user's project may have folders of these names, and PYTHONPATH puts it in front of what is installed. They are looked
for beside this file, whose name nobody else has; a package that is imported once is not looked for again. Afterwards
the path is what it was, so that a user's own modules are found as they expect.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # as in cli.py
import importlib
import sys
from pathlib import Path

OURS = ("cli", "evo", "migration", "scripts")


def main() -> None:
    """Run the command line."""
    if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
        _signal.signal(_signal.SIGINT, _signal.SIG_DFL)  # until a command listens, Ctrl-C ends the process at once
    here = str(Path(__file__).resolve().parent)
    sys.path.insert(0, here)
    try:
        for name in OURS:
            importlib.import_module(name)
    finally:
        sys.path.remove(here)
    sys.modules["cli"].main()


if __name__ == "__main__":
    main()

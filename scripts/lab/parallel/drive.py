"""The driver: `python -m scripts.lab.parallel.drive REQUEST.json` runs one arm once, in a session of its own.

The harness has set the environment before this process began, so nothing is loaded too early, whoever called it.
"""

from __future__ import annotations

import sys
import traceback
from pathlib import Path

from atoll.scripts.lab.parallel import records
from atoll.scripts.lab.parallel.arms import arm
from atoll.scripts.lab.parallel.setting import Request

WENT_WRONG = "error.txt"
"""In the folder of the run: the one line that says what the arm raised."""


def main(path: Path) -> int:
    """Run what the request at `path` says; return the exit code."""
    request = Request.load(path)
    records.make_folders(request.path)
    try:
        arm.load(request.setting.arm).run(request)
    except Exception as error:
        traceback.print_exc()
        said = f"{type(error).__name__}: {error}".splitlines()[0]
        (request.path / WENT_WRONG).write_text(said, encoding="utf-8", errors="replace")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))

"""A study called through the one door, in this process: its exit code, and all that it said."""

from __future__ import annotations

import contextlib
import io

from atoll.scripts.lab.__main__ import run


def call(*arguments: object) -> tuple[int, str]:
    """Call a study as `python -m scripts.lab` does."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            code = run([str(each) for each in arguments])
        except SystemExit as ended:
            code = int(ended.code or 0)
    return code, said.getvalue()

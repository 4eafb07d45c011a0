"""Run commands one after another, as whatever account this process has; a line of JSON tells what became of each."""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import traceback

from atoll.scripts.commands import group as cli


def main(umask: str, commands: str) -> None:
    """Perform the commands, a JSON list of lists, under a umask in octal digits."""
    os.umask(int(umask, 8))
    for command in json.loads(commands):
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                code = cli.run(lambda command=command: cli.cli.main(args=command, standalone_mode=False))  # type: ignore[misc]
            except Exception:
                code = 1
                traceback.print_exc()
        print(json.dumps([command, code, out.getvalue(), err.getvalue()]))  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])

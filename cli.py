"""The door: `python cli.py COMMAND`. The commands themselves are in `scripts/commands/`."""

import _signal  # type: ignore[import-not-found]  # built in; `signal` takes milliseconds, in which Ctrl-C has a traceback
import sys

if __name__ != "__mp_main__" and _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)  # until a command listens, Ctrl-C ends the process, without a word

if __name__ == "__main__":
    sys.path[0] += "/src"  # where `atoll` lies, and nothing that could hide a user's own evo, migration or scripts

from atoll.evo import installation

__all__ = ["main"]

installation.check()  # before what only a new Python reads, or what an installed package is needed for

if __name__ != "__mp_main__":  # so a process imports this page that a task spawns, which needs none of it
    from atoll.scripts.commands.group import main

if __name__ == "__main__":
    main()

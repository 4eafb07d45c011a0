"""How many threads a numeric library really starts, found by starting it.

Each measurement is a fresh process, since a library looks at the environment once, when it is loaded: that is also why
setting `OMP_NUM_THREADS` after `import torch` does nothing, which the third measurement shows.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec

from atoll.evo.resources import THREAD_VARIABLES

AS_IT_IS, LIMITED, TOO_LATE = "environment as it is", "limited to 1 before loading", "limited to 1 after loading"

_CHILD = """
import os, sys
library, variables = sys.argv[1], sys.argv[2:]
module = __import__(library)
for variable in variables:
    os.environ[variable] = "1"
square = module.ones((600, 600))
for _ in range(3):
    square @ square
import psutil
print(psutil.Process().num_threads())
"""


@dataclass(frozen=True)
class Measurement:
    """How many threads a process had after using a library.

    Attributes:
        library: numpy or torch.
        setup: How the limit was set.
        threads: All threads of the process, the main one included; None if the library cannot be loaded.
    """

    library: str
    setup: str
    threads: int | None


def measure(library: str, setup: str) -> Measurement:
    """Use `library` in a fresh process under one of the three setups."""
    environment = dict(os.environ)
    if setup == LIMITED:
        environment |= dict.fromkeys(THREAD_VARIABLES, "1")
    if setup == TOO_LATE:
        environment = {name: value for name, value in environment.items() if name not in THREAD_VARIABLES}
    late = THREAD_VARIABLES if setup == TOO_LATE else ()
    child = subprocess.run(  # noqa: S603 - our own interpreter and our own text
        [sys.executable, "-c", _CHILD, library, *late],
        env=environment,
        capture_output=True,
        errors="replace",
        check=False,
    )
    return Measurement(library, setup, int(child.stdout) if child.returncode == 0 else None)


def measure_all() -> list[Measurement]:
    """Measure every library that is installed under every setup."""
    libraries = [library for library in ("numpy", "torch") if find_spec(library)]
    return [measure(library, setup) for library in libraries for setup in (AS_IT_IS, LIMITED, TOO_LATE)]

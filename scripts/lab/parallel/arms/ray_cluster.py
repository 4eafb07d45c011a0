"""The Ray cluster of an arm: a small one of its own on this machine, or an existing one."""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from atoll.scripts.lab.parallel.request import Request

OBJECT_STORE_BYTES = 100_000_000
"""Nothing large goes through it; Ray wants 75 MiB at least."""
QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DEDUP_LOGS": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_TRAIN_ENABLE_V2_MIGRATION_WARNINGS": "0",
}
"""What keeps Ray from reporting its use over the network, and from saying what nobody can act upon."""


@contextlib.contextmanager
def cluster(request: Request) -> Iterator[None]:
    """Be connected to a cluster; one that was started here ends with it."""
    os.environ.update(QUIET)
    if request.ray_address is None:  # Ray would put a secret of its own into the user's home
        os.environ.update({"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)})
    import ray  # noqa: PLC0415 - reads its environment when it is loaded

    if request.ray_address is not None:
        ray.init(address=request.ray_address, logging_level=logging.WARNING, log_to_driver=False)
    else:
        ray.init(
            num_cpus=request.setting.workers,
            object_store_memory=OBJECT_STORE_BYTES,
            include_dashboard=False,
            logging_level=logging.WARNING,
            log_to_driver=False,
            _node_ip_address="127.0.0.1",
        )
    try:
        yield
    finally:
        ray.shutdown()

"""A sphere that takes its time and costs none: whoever tests islands that run on and on must not use up the machine."""

import time


class Sphere:
    """The sphere function, in many dimensions."""

    bounds = [(-5.0, 5.0)] * 10
    is_deterministic = True

    def evaluate(self, genes, episode):  # noqa: ARG002 - deterministic
        time.sleep(0.01)
        return -(genes * genes).sum(axis=1)

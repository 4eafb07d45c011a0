"""Property tests draw the same examples every time, and no noisy machine fails one for being slow."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "atoll", derandomize=True, deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("atoll")

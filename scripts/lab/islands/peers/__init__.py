"""Atoll's islands beside pygmo's archipelago: `python -m scripts.lab peers`."""

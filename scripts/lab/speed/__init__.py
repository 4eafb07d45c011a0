"""Benchmarks: raw rows first, tables derived. `python -m scripts.lab bench`."""

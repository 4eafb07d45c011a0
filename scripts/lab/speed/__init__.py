"""Benchmarks: raw rows first, tables derived."""

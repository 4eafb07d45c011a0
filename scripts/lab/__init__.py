"""The laboratory: comparison, experiments and benchmarks. Nothing of the product imports it."""

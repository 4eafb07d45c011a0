"""Algorithms at equal budgets of evaluations: `python -m scripts.lab algorithms`."""

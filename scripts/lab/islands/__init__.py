"""Experiments on evolution itself, one command each."""

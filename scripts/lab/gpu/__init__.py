"""Creatures on a GPU: the proof of their bits without one, and what a GPU gains."""

"""Algorithms of an island: how a generation becomes the next one, each in a file, behind one protocol."""

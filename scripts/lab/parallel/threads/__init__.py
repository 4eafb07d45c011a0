"""Experiments on threads: how many there are, from which size on they work, and which way of limiting them works."""

"""The tests mirror the sources file for file; `contracts.py` holds the checks that any implementation can be put to."""

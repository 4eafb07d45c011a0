"""Processes and threads of this machine: trees, samples, waiting times, and who started a thread."""

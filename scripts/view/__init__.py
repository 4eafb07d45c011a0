"""The terminal: one island's progress, the table of all, their migration logs."""

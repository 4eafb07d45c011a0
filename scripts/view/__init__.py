"""Terminal output: one island's progress, the table of all, their migration logs, the state of the pool."""

"""Observation of a pool: status, history, snapshots, verification and archiving."""

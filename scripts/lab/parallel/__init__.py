"""The comparison: which ways to run many trials in parallel do so, where the time goes in those that do not."""

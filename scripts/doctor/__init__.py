"""Explains what would keep islands from running at full speed: threads, and the shared file system."""

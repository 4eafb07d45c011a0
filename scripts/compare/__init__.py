"""The comparison: the same trials on every backend, and why some of them fail."""

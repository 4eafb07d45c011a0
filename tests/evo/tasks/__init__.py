"""Laws of the problems."""

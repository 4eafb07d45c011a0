"""Laws of the evolutionary core."""

"""The archipelago: everything that crosses between islands."""

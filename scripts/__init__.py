"""Programs on top of the core and the archipelago."""

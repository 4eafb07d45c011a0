"""One island, from its settings to its last generation; or several in one process."""

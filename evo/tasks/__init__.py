"""Problems to evolve on."""

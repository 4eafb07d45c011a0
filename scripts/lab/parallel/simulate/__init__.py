"""A model of P workers, for machines that are not at hand. Everything that comes from here is labelled simulated."""

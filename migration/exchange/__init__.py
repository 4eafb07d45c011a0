"""The migration algorithm: topology, policies, and the modes of exchange."""

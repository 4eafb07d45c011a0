"""The evolutionary core: arrays in, new arrays out; files and clocks only in the island shell."""

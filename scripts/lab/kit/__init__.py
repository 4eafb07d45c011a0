"""The parts that every study shares: rows, statistics, tables, the machine."""

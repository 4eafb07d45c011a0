"""Tests of the archipelago."""

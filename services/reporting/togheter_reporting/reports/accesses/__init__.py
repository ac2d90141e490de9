"""Accesses to the Porte Sociali."""

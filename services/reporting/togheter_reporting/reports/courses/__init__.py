"""Editions of courses."""

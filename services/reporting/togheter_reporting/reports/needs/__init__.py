"""Needs by area."""

"""Registered persons."""

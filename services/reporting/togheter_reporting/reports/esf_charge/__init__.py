"""Persons taken in charge as ESF+ counts them."""

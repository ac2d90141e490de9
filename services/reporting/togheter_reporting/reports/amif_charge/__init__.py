"""Persons taken in charge as AMIF 2021–27 counts them."""

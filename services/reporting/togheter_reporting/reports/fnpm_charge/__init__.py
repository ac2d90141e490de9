"""Persons taken in charge as the national fund counts them: 15 to 65 and NEET ages apart."""

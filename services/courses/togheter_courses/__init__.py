"""The courses service of TOGHETER."""

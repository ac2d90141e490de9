"""The reporting service of TOGHETER."""

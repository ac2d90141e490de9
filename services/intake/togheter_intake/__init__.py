"""The intake service of TOGHETER."""

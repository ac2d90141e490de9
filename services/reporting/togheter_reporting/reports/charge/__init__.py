"""How many persons were taken in charge, and who they are: over the facts of `persons`."""

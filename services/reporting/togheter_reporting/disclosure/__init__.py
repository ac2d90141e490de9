"""Statistical disclosure control: what may leave, so that nobody is recognised in it."""

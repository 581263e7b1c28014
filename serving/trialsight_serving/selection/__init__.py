"""Which parts to look at next, and what looking at some of the passed ones says of all."""

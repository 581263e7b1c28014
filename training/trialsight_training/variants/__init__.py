"""Other forms of a package's graph, smaller or faster, each offered only where it keeps the card's promise."""

from trialsight_training.variants.make import add_variants

__all__ = ["add_variants"]

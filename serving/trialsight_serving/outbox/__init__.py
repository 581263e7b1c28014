"""Results handed on to other systems, at least once and in order per line, whatever happens to those systems."""

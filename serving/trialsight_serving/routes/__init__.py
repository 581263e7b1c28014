"""HTTP version 1."""

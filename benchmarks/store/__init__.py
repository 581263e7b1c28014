"""A million stored results."""

"""Measurements of this project, and side by side with others: `make bench ARGS=inspection`, `make bench ARGS=learning`.

A tool of the repository, not part of what is installed. Each writes docs/benchmarks/NAME.md.
"""

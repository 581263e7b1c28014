"""Detectors: one folder each, with `model` (the part of the graph that is its own) and `fit` (how it learns)."""

"""Detectors: one folder each, with `model` (the graph that is exported) and `fit` (how it learns)."""

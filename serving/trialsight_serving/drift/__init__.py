"""Drift: has what a line shows moved away from what it showed when its model went live, and what moved it?"""

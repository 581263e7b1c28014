"""Which model gives verdicts: the registry, the gate before a model goes live, and the manager that swaps it in."""

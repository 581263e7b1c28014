"""What the benchmarks share: taking turns, timing, scoring, training as a person does, the report."""

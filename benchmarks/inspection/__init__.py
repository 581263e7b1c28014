"""What an inspection costs, and anomalib's inferencers beside it."""

"""Quality and times of what is learned, anomalib's PatchCore beside it."""

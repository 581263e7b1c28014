"""Image sets: reading, checking, splitting, versioning, and simulating them."""

from trialsight_datasets.pixels import load_image, load_mask
from trialsight_datasets.read import read_image_set
from trialsight_datasets.sample import GOOD, ImageSet, Sample

__all__ = ["GOOD", "ImageSet", "Sample", "load_image", "load_mask", "read_image_set"]

"""Frames and maps, named by the sha256 of their content: in a folder or in a bucket."""

from trialsight_serving.store.images.files import ImageStore as ImageStore
from trialsight_serving.store.images.files import StoredFile as StoredFile
from trialsight_serving.store.images.files import name_of as name_of
from trialsight_serving.store.images.files import open_images as open_images

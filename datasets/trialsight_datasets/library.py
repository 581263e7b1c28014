"""Set versions in a home: `sets/objects` holds images and masks by their content, `sets/<name>` one file a version.

A version is never changed. What several versions share is stored once.
"""

import re
from collections.abc import Callable
from pathlib import Path

from trialsight import TrialsightError
from trialsight.files import sha256_of, write_atomic, write_json_atomic
from trialsight_datasets.manifest import Entry, Manifest, load_manifest, make_manifest
from trialsight_datasets.sample import TRAIN, ImageSet, Sample

OBJECTS = "objects"
NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,62}")
SHORTEST = 6


def set_name(name: str) -> str:
    """A folder's name as a set's: `My Parts (v2)` is `my-parts-v2`."""
    plain = re.sub(r"[^a-z0-9_.]+", "-", name.lower()).strip("-_.")[:63]
    return plain if plain and plain != OBJECTS else "set"


class Library:
    """`root`: the folder `sets` of a home."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def add(
        self, image_set: ImageSet, name: str, parent: str | None = None, step: Callable[[], None] = lambda: None
    ) -> tuple[Manifest, Path]:
        """Keep a set as a version; one that is here already stays as it is. `step` is called after each image.

        The version's file comes last: where it is, all that it names is.
        """
        if not NAME.fullmatch(name) or name == OBJECTS:
            raise TrialsightError(
                f"{name!r} can't be a set's name", "1-63 of a-z, 0-9, '-', '_' and '.', and not `objects`: give --name"
            )
        entries = []
        for sample in image_set:
            entry = sample.entry()
            self._keep(self.object(entry.image, entry.suffix), sample.path.read_bytes)
            if entry.mask is not None:
                self._keep(self.object(entry.mask, ".png"), sample.mask_bytes)
            entries.append(entry)
            step()
        manifest = make_manifest(name, entries, parent)
        path = self.root / name / f"{manifest.version}.json"
        if not path.exists():
            write_json_atomic(path, manifest.to_json())
        return manifest, path

    def object(self, sha256: str, suffix: str) -> Path:
        return self.root / OBJECTS / sha256[:2] / f"{sha256}{suffix}"

    def versions(self, name: str) -> list[Path]:
        """The oldest first."""
        return sorted((self.root / name).glob("*.json"), key=lambda path: (path.stat().st_mtime_ns, path.name))

    def names(self) -> list[str]:
        if not self.root.is_dir():
            return []
        return sorted(path.name for path in self.root.iterdir() if path.is_dir() and path.name != OBJECTS)

    def find(self, spelled: str) -> Path:
        """`NAME` (the newest) or `NAME@VERSION` (its first characters will do). Raises TrialsightError."""
        name, _, start = spelled.partition("@")
        found = [path for path in self.versions(name) if path.stem.startswith(start)] if NAME.fullmatch(name) else []
        if not found:
            known = ", ".join(self.names()) or "none"
            raise TrialsightError(f"there is no set version {spelled} in {self.root}", f"sets there are {known}")
        if start and len(found) > 1:
            raise TrialsightError(f"{spelled} is the start of {len(found)} versions", "give more characters")
        return found[-1]

    def _keep(self, path: Path, read: Callable[[], bytes]) -> None:
        if not path.exists():
            write_atomic(path, read())


def open_version(path: Path) -> tuple[ImageSet, list[Sample]]:
    """The version's set, and those of its samples whose image or mask is not in the library (any more).

    Raises TrialsightError where the file is no set version.
    """
    manifest = read_version(path)
    library = Library(path.parent.parent)
    samples = [_sample(library, entry) for entry in manifest.entries]
    gone = [one for one in samples if not (one.path.is_file() and (one.mask_path is None or one.mask_path.is_file()))]
    train = tuple(one for one in samples if one.split == TRAIN)
    test = tuple(one for one in samples if one.split != TRAIN)
    return ImageSet(library.root, manifest.name, "version", train, test), gone


def read_version(path: Path) -> Manifest:
    try:
        return load_manifest(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise TrialsightError(f"set version {path} can't be read: {error}") from error


def verify(manifest: Manifest, library: Library) -> list[Path]:
    """Files of the version that are missing, or no longer what their names say."""
    files = {library.object(entry.image, entry.suffix): entry.image for entry in manifest.entries}
    files |= {library.object(entry.mask, ".png"): entry.mask for entry in manifest.entries if entry.mask is not None}
    return sorted(path for path, sha256 in files.items() if not path.is_file() or sha256_of(path) != sha256)


def _sample(library: Library, entry: Entry) -> Sample:
    mask = None if entry.mask is None else library.object(entry.mask, ".png")
    path = library.object(entry.image, entry.suffix)
    return Sample(path, entry.label, entry.split, mask, entry.part, entry.view)

"""A set version: what each image of a set is, named by its content. Versions differ by what their entries differ in."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from trialsight import TrialsightError
from trialsight.structure import structure

FORMAT = 1


@dataclass(frozen=True, order=True)
class Entry:
    """One image. `image` and `mask` are hex sha256 of the files; `suffix` is the image's own, with its dot."""

    part: str
    view: str
    image: str
    suffix: str
    label: str
    split: Literal["train", "test"]
    mask: str | None = None

    @property
    def what(self) -> str:
        return f"{self.part} ({self.label}, {self.split}{', masked' if self.mask else ''})"


@dataclass(frozen=True)
class Manifest:
    """`entries` in their own order, whatever order they came in. `parent`: the version that this one was made from."""

    name: str
    entries: tuple[Entry, ...]
    parent: str | None = None

    @property
    def version(self) -> str:
        return version_of(self.entries)

    def to_json(self) -> dict[str, Any]:
        plain = {"format": FORMAT, "name": self.name, "version": self.version, "parent": self.parent}
        return plain | {"entries": [asdict(entry) for entry in self.entries]}


@dataclass(frozen=True)
class Difference:
    """From one version to another: `changed` are the same images with another label, split, mask, part or view."""

    added: tuple[Entry, ...]
    removed: tuple[Entry, ...]
    changed: tuple[tuple[Entry, Entry], ...]

    @property
    def none(self) -> bool:
        return not (self.added or self.removed or self.changed)

    def lines(self) -> list[str]:
        """For people: `+`, `-` and `~` a line."""
        return [
            *(f"+ {entry.what}" for entry in self.added),
            *(f"- {entry.what}" for entry in self.removed),
            *(f"~ {before.what} -> {after.what}" for before, after in self.changed),
        ]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def version_of(entries: Iterable[Entry]) -> str:
    """Hex sha256 of what the entries say, whatever their order; the suffix of a file says nothing of its content."""
    lines = ("\0".join((e.part, e.view, e.split, e.label, e.image, e.mask or "")) for e in entries)
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()


def make_manifest(name: str, entries: Iterable[Entry], parent: str | None = None) -> Manifest:
    """Raises TrialsightError where one part is on both sides: a test on what was trained on proves nothing."""
    ordered = tuple(sorted(entries, key=lambda entry: (entry.part, entry.view, entry.image, entry.label)))
    sides: dict[str, str] = {}
    for entry in ordered:
        if sides.setdefault(entry.part, entry.split) != entry.split:
            raise TrialsightError(
                f"part {entry.part} of {name} is in train and in test: a test on what was trained on proves nothing",
                "put all images of a part on one side",
            )
    return Manifest(name, ordered, parent)


def parse_manifest(data: object, where: str) -> Manifest:
    """Raises TrialsightError where a field is wrong, or the entries are not those that the version names."""
    try:
        if not isinstance(data, dict) or data.get("format") != FORMAT:
            raise ValueError(f"is no set version of the format {FORMAT}")
        fields = {key: data[key] for key in ("name", "entries", "parent") if key in data}
        manifest = structure(Manifest, fields, "set version")
        if manifest.version != data.get("version"):
            raise ValueError("its entries are not those of its version: it was changed")
    except ValueError as error:
        raise TrialsightError(f"{where}: {error}", "make it again: trialsight data import") from error
    return manifest


def load_manifest(text: str, where: str) -> Manifest:
    try:
        return parse_manifest(json.loads(text), where)
    except json.JSONDecodeError as error:
        raise TrialsightError(
            f"{where} line {error.lineno}: {error.msg}", "make it again: trialsight data import"
        ) from error


def compare(before: Manifest, after: Manifest) -> Difference:
    """By image content: what a rename or a new label does is a change, not an image less and one more."""
    old, new = _by_image(before), _by_image(after)
    added, removed, changed = [], [], []
    for image in sorted(old.keys() | new.keys()):
        gone = [entry for entry in old.get(image, []) if entry not in new.get(image, [])]
        come = [entry for entry in new.get(image, []) if entry not in old.get(image, [])]
        pairs = min(len(gone), len(come))
        changed += list(zip(gone[:pairs], come[:pairs], strict=True))
        removed += gone[pairs:]
        added += come[pairs:]
    return Difference(tuple(sorted(added)), tuple(sorted(removed)), tuple(changed))


def _by_image(manifest: Manifest) -> dict[str, list[Entry]]:
    found: dict[str, list[Entry]] = {}
    for entry in manifest.entries:
        found.setdefault(entry.image, []).append(entry)
    return found

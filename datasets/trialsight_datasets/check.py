"""A look at every file of an image set, so that all that is wrong is known at once rather than one fault a run."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from trialsight import TrialsightError
from trialsight.files import sha256_of
from trialsight_datasets.formats.listing import Problem
from trialsight_datasets.pixels import load_image, load_mask
from trialsight_datasets.read import AUTO, header_problems, list_image_set
from trialsight_datasets.sample import ImageSet, Sample
from trialsight_datasets.suspicions import Glance, Suspicion, find_suspicions, glance


@dataclass(frozen=True)
class Report:
    """`masks`: how many defective test parts have one. `sizes_px`: how many images there are of each WxH.

    `version` is None where something is wrong: a set that can't be read has no content to name. `suspicions` are no
    faults: they deserve a look.
    """

    image_set: ImageSet
    problems: tuple[Problem, ...]
    masks: int
    sizes_px: dict[str, int]
    version: str | None
    suspicions: tuple[Suspicion, ...] = ()

    def to_json(self) -> dict[str, object]:
        return {
            "root": str(self.image_set.root),
            "name": self.image_set.name,
            "layout": self.image_set.layout,
            "counts": self.image_set.counts(),
            "masks": self.masks,
            "sizes_px": self.sizes_px,
            "version": self.version,
            "problems": [{"path": str(problem.path), "what": problem.what} for problem in self.problems],
            "suspicions": [
                {"kind": one.kind, "path": str(one.sample.path), "what": one.what, "strength": round(one.strength, 2)}
                for one in self.suspicions
            ],
        }


def check_image_set(image_set: ImageSet, listed: list[Problem], on_image: Callable[[], None] | None = None) -> Report:
    """Decode every image and mask, and look for the same bytes in train and test or under two labels.

    `listed`: what listing the folder already found.
    """
    problems = list(listed)
    sizes: dict[str, int] = defaultdict(int)
    by_content: dict[str, list[Sample]] = defaultdict(list)
    glances: list[Glance] = []
    for sample in image_set:
        found = header_problems(sample)
        if not any(problem.path == sample.path for problem in found):
            found += _pixel_problems(sample, sizes, glances, masks=not found)
            by_content[sha256_of(sample.path)].append(sample)
        problems += found
        if on_image is not None:
            on_image()
    problems += [problem for samples in by_content.values() for problem in _duplicates(samples)]
    if not any(sample.is_good for sample in image_set.train):
        problems.append(Problem(image_set.root, "has no good part to train on"))
    return Report(
        image_set=image_set,
        problems=tuple(problems),
        masks=sum(sample.has_mask for sample in image_set.test if not sample.is_good),
        sizes_px=dict(sorted(sizes.items(), key=lambda item: -item[1])),
        version=None if problems else image_set.version(),
        suspicions=find_suspicions(_without_copies(glances, by_content)),
    )


def check_folder(folder: Path, layout: str = AUTO) -> Report:
    """`check_image_set` of a folder. Raises TrialsightError where there is no set to speak of."""
    return check_image_set(*list_image_set(folder, layout))


def _pixel_problems(sample: Sample, sizes: dict[str, int], glances: list[Glance], masks: bool) -> list[Problem]:
    try:
        image = load_image(sample.path)
    except TrialsightError as error:
        return [Problem(sample.path, _without_path(error, sample.path))]
    height, width = image.shape[:2]
    sizes[f"{width}x{height}"] += 1
    glances.append(glance(sample, image))
    if not masks or not sample.has_mask:
        return []
    try:
        load_mask(sample, (width, height))
    except TrialsightError as error:
        path = sample.mask_path or sample.path
        return [Problem(path, _without_path(error, path))]
    return []


def _without_copies(glances: list[Glance], by_content: dict[str, list[Sample]]) -> list[Glance]:
    """One of each content: that copies are alike is known already."""
    first = {samples[0].path for samples in by_content.values()}
    return [one for one in glances if one.sample.path in first]


def _duplicates(samples: list[Sample]) -> list[Problem]:
    """Of images that are the same byte for byte, those whose copy makes a test worthless or a label a riddle."""
    first, *others = samples
    problems = []
    for other in others:
        if other.label != first.label:
            what = f"is the same image as {first.path}, which is labelled {first.label}, not {other.label}"
        elif other.split != first.split:
            what = f"is the same image as {first.path}: a test on what was trained on proves nothing"
        else:
            continue
        problems.append(Problem(other.path, what))
    return problems


def _without_path(error: TrialsightError, path: Path) -> str:
    """The error's text where the problem names the file itself."""
    return error.problem.removeprefix(f"{path}: ").removeprefix(f"mask {path} ")

"""What a search may try: a point of the space, as a trial suggests it, is a recipe."""

from dataclasses import replace

from optuna import Trial

from trialsight.recipe import DetectorName, Recipe

UNLABELLED: tuple[DetectorName, ...] = ("patch_memory", "gaussian", "student_teacher")
LABELLED: tuple[DetectorName, ...] = ("auto", "patch_memory", "gaussian", "discriminator", "segmenter")
# Of the recipe's own side; what serves must keep its deadline, so no larger than twice.
SIDES = (0.75, 1.0, 1.25, 1.5)
BANKS = (500, 1000, 2000, 4000)
LAYERS = {
    "layer2": ("layer2",),
    "layer2+3": ("layer2", "layer3"),
    "layer1+2": ("layer1", "layer2"),
    "layer1+2+3": ("layer1", "layer2", "layer3"),
}
SMALLEST_PX, LARGEST_PX = 64, 1024


def suggest(trial: Trial, recipe: Recipe, labelled: bool) -> Recipe:
    """The recipe with what the trial suggests; view, calibration, rules and tiles stay the recipe's."""
    names = LABELLED if labelled else UNLABELLED
    name = next(one for one in names if one == trial.suggest_categorical("detector", names))
    side = max(SMALLEST_PX, recipe.input.size_px * trial.suggest_categorical("side", SIDES))
    if recipe.input.tile_px is None:
        side = min(LARGEST_PX, side)
    detector = replace(recipe.detector, name=name, layers=_layers(trial, recipe))
    if name in ("auto", "patch_memory"):
        detector = replace(detector, bank_size=trial.suggest_categorical("bank_size", BANKS))
    augment = replace(
        recipe.augment,
        copies=trial.suggest_int("copies", 0, 3),
        rotation_deg=trial.suggest_categorical("rotation_deg", (0.0, 2.0, 5.0)),
        brightness=trial.suggest_categorical("brightness", (0.0, 0.03, 0.1)),
    )
    return replace(recipe, input=replace(recipe.input, size_px=round(side)), detector=detector, augment=augment)


def _layers(trial: Trial, recipe: Recipe) -> tuple[str, ...]:
    """Of a torchvision ResNet; other backbones have layers of other names and keep the recipe's."""
    if not recipe.detector.backbone.startswith(("resnet", "wide_resnet", "resnext")):
        return recipe.detector.layers
    return LAYERS[trial.suggest_categorical("layers", tuple(LAYERS))]

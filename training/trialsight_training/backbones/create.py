"""The one door to backbones: a name and where its weights come from."""

from trialsight.errors import TrialsightError
from trialsight_training.backbones.backbone import Backbone


def create_backbone(name: str, weights: str, layers: tuple[str, ...], seed: int = 0) -> Backbone:
    """`weights`: `random` (seeded), `hub` (torchvision's own, from the internet), `shipped`, or a path to a state dict.

    `shipped` is the small student that comes with Trialsight; it has its own layers. Raises TrialsightError where the
    name, a layer or the weights are not to be had.
    """
    if (name == "shipped") != (weights == "shipped"):
        raise TrialsightError(
            f"backbone {name!r} has no weights {weights!r}",
            "`shipped` is both a backbone and its weights: give it for both or for neither",
        )
    if name == "shipped":
        from trialsight_training.backbones.shipped import load

        return load()
    from trialsight_training.backbones.torchvision import create_torchvision

    return create_torchvision(name, weights, layers, seed)

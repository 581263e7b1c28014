"""The one door to backbones: a name and where its weights come from."""

from trialsight.errors import TrialsightError
from trialsight_training.backbones.backbone import Backbone


def create_backbone(name: str, weights: str, layers: tuple[str, ...], seed: int = 0) -> Backbone:
    """`name`: `shipped`, one of torchvision's, or `timm/` and one of timm's. `weights`: `random` (seeded), `hub` (the
    library's own, from the internet), `shipped`, or a path to a state dict. `layers` empty: the usual ones.

    `shipped` is the small student that comes with Trialsight, with its own weights and layers. Raises TrialsightError
    where the name, a layer or the weights are not to be had.
    """
    if name == "shipped":
        from trialsight_training.backbones.shipped import load

        backbone = load()
        if weights != "shipped" or layers not in ((), backbone.layers):
            raise TrialsightError(
                f"the shipped backbone has its own weights and layers, not {weights!r} and {', '.join(layers) or '-'}",
                f"give weights `shipped` and layers {', '.join(backbone.layers)}, or another backbone",
            )
        return backbone
    if name.startswith("timm/"):
        from trialsight_training.backbones.timm import create_timm

        return create_timm(name, weights, layers, seed)
    from trialsight_training.backbones.torchvision import create_torchvision

    return create_torchvision(name, weights, layers, seed)

"""torchvision's classification trunks, cut at named layers."""

import warnings
from pathlib import Path

import torch
from torch import nn
from torch.fx import GraphModule, Node
from torch.nn.utils.fusion import fuse_conv_bn_eval

from trialsight.errors import TrialsightError
from trialsight_training.backbones.backbone import Backbone
from trialsight_training.backbones.weights import load_weights
from trialsight_training.torchvision_schemas import torchvision


def create_torchvision(name: str, weights: str, layers: tuple[str, ...], seed: int) -> Backbone:
    """`name` is any of torchvision.models' classifiers; what lies behind the last of `layers` is dropped."""
    models = torchvision.models
    if name not in models.list_models(module=models):
        raise TrialsightError(
            f"backbone {name!r} is unknown",
            "torchvision's, such as resnet18 or mobilenet_v2, timm's as timm/NAME, and `shipped` are known",
        )
    layers = layers or _usual_layers(name)
    body = _cut(name, _build(name, weights, seed), layers)
    if weights == "random":
        initialise(body, seed)
    elif weights != "hub":
        load_weights(body, Path(weights).expanduser())
    return Backbone(name, layers, _faster(body))


def _faster(body: GraphModule) -> nn.Module:
    """Batch norms folded into the convolutions before them, channels last in memory: three quarters of the time."""
    graph, modules = body.graph, dict(body.named_modules())
    for node in list(graph.nodes):
        norm, before = modules.get(str(node.target)), node.args[0] if node.args else None
        if not isinstance(norm, nn.BatchNorm2d) or not isinstance(before, Node) or len(before.users) > 1:
            continue
        convolution = modules.get(str(before.target))
        if isinstance(convolution, nn.Conv2d):
            body.set_submodule(str(before.target), fuse_conv_bn_eval(convolution, norm))
            node.replace_all_uses_with(before)
            graph.erase_node(node)
    # A module of its own: what torchvision cuts has a second graph, for training, which would miss its norms.
    return GraphModule(body, graph).to(memory_format=torch.channels_last)  # type: ignore[no-any-return,call-overload]


def initialise(body: nn.Module, seed: int) -> None:
    """Seeded random weights: convolutions orthogonal, batch norms identities.

    Orthogonal filters keep distances better than independent ones do (Saxe, McClelland, Ganguli 2014).
    """
    generator = torch.Generator().manual_seed(seed)
    for module in body.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.orthogonal_(module.weight, gain=2**0.5, generator=generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def _usual_layers(name: str) -> tuple[str, ...]:
    """At strides 4, 8 and 16: from edges and grain to parts of an object."""
    usual = dict.fromkeys(("resnet", "wide_resnet", "resnext"), ("layer1", "layer2", "layer3"))
    usual["mobilenet_v2"] = ("features.3", "features.6", "features.13")
    usual["mobilenet_v3_large"] = ("features.3", "features.6", "features.12")
    for family, layers in usual.items():
        if name.startswith(family):
            return layers
    raise TrialsightError(f"backbone {name} has no usual layers", "name them in the recipe: detector.layers")


def _build(name: str, weights: str, seed: int) -> nn.Module:
    models = torchvision.models
    try:
        with warnings.catch_warnings():
            # inception and googlenet announce a change of their initialisation, which is replaced anyway
            warnings.simplefilter("ignore", FutureWarning)
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                model: nn.Module = models.get_model(name, weights="DEFAULT" if weights == "hub" else None)
    except (OSError, RuntimeError) as error:
        raise TrialsightError(
            f"torchvision's weights of {name} can't be downloaded: {error}",
            "give --weights PATH to a state dict, or `shipped` or `random`",
        ) from error
    return model.eval()


def _cut(name: str, model: nn.Module, layers: tuple[str, ...]) -> GraphModule:
    from torchvision.models.feature_extraction import create_feature_extractor, get_graph_node_names

    try:
        body: GraphModule = create_feature_extractor(model, return_nodes={layer: layer for layer in layers})
    except ValueError as error:
        _, names = get_graph_node_names(model)
        known = sorted({".".join(node.split(".")[:2]) for node in names if "." in node or node.startswith("layer")})
        raise TrialsightError(
            f"backbone {name} has no layers {', '.join(layers)}", f"it has {', '.join(known)}"
        ) from error
    return body

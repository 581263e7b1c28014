"""State dicts from disk: `.pth` (no code is run from it) or `.safetensors`, fitted to the layers that are kept."""

import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from trialsight.errors import TrialsightError

# What wrappers and checkpoints put before a torchvision key.
_PREFIXES = ("module.", "model.", "backbone.", "encoder.")


def load_weights(module: nn.Module, path: Path) -> None:
    """Load what `module` needs from `path`; keys beyond that (a head, later layers) are ignored.

    Raises TrialsightError where the file can't be read, or a key is missing or has another shape.
    """
    found = _strip_prefix(_read(path), module)
    needed = module.state_dict()
    # Counts batches for training only; many exporters leave it out.
    missing = [key for key in needed if key not in found and not key.endswith("num_batches_tracked")]
    if missing:
        raise TrialsightError(
            f"{path} lacks {len(missing)} of the {len(needed)} tensors that this backbone needs, first {missing[0]}",
            "give weights of the same backbone, or name earlier layers in the recipe",
        )
    for key, tensor in needed.items():
        if key in found and found[key].shape != tensor.shape:
            raise TrialsightError(
                f"{path}: {key} has shape {tuple(found[key].shape)}, the backbone needs {tuple(tensor.shape)}",
                "give weights of the same backbone",
            )
    module.load_state_dict({key: found[key] for key in needed if key in found}, strict=False)


def _read(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise TrialsightError(
            f"weights {path} do not exist", "give a .pth or .safetensors file, or `random`, `hub` or `shipped`"
        )
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        data = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        raise TrialsightError(f"weights {path} can't be read: {_first_line(error)}", "save it again") from error
    except Exception as error:  # safetensors has its own exception type, derived from Exception alone
        if type(error).__module__.startswith("safetensors"):
            raise TrialsightError(f"weights {path} can't be read: {_first_line(error)}") from error
        raise
    for key in ("state_dict", "model"):
        if isinstance(data, Mapping) and isinstance(data.get(key), Mapping):
            data = data[key]
    tensors = {str(k): v for k, v in data.items() if isinstance(v, Tensor)} if isinstance(data, Mapping) else {}
    if not tensors:
        raise TrialsightError(f"weights {path} hold no tensors by name", "save `model.state_dict()`")
    return tensors


def _strip_prefix(found: dict[str, Tensor], module: nn.Module) -> dict[str, Tensor]:
    """Without the prefix that leaves most keys known."""
    needed = module.state_dict().keys()
    candidates = [found]
    for prefix in _PREFIXES:
        candidates.append({k.removeprefix(prefix): v for k, v in found.items()})
    return max(candidates, key=lambda keys: len(needed & keys.keys()))


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]

"""The small network behind the shipped backbone: dense 3x3 convolutions on few channels, maps at strides 8 and 16.

Dense rather than depthwise: at the same milliseconds for inference they train five times faster on a CPU.
Residual blocks after He et al. 2016, https://arxiv.org/abs/1512.03385.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

LAYERS = ("stride8", "stride16")


@dataclass(frozen=True)
class Shape:
    """Channels, layer by layer. `blocks*` residual blocks run at strides 4, 8 and 16, `hidden*` wide inside."""

    stem: int = 16
    stride4: int = 48
    stride8: int = 96
    stride16: int = 128
    blocks4: int = 0
    blocks8: int = 1
    blocks16: int = 2
    hidden8: int = 64
    hidden16: int = 128
    out8: int = 128
    out16: int = 256


class ConvNorm(nn.Module):
    """Convolution, batch norm (absent once folded), ReLU unless `linear`."""

    def __init__(self, before: int, after: int, *, stride: int = 1, linear: bool = False, norm: bool = True) -> None:
        super().__init__()
        self.conv = nn.Conv2d(before, after, 3, stride, 1, bias=not norm)
        self.norm: nn.Module = nn.BatchNorm2d(after) if norm else nn.Identity()
        self.act: nn.Module = nn.Identity() if linear else nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.act(self.norm(self.conv(x)))
        return out


class Block(nn.Module):
    """x + two convolutions, then ReLU."""

    def __init__(self, channels: int, hidden: int, norm: bool) -> None:
        super().__init__()
        self.first = ConvNorm(channels, hidden, norm=norm)
        self.second = ConvNorm(hidden, channels, linear=True, norm=norm)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.second(self.first(x)))


class Student(nn.Module):
    """(N, 3, H, W), normalised as ImageNet, to (N, out8, H/8, W/8) and (N, out16, H/16, W/16), both at least 0."""

    def __init__(self, shape: Shape, *, norm: bool = True) -> None:
        super().__init__()
        s = shape
        self.shape = shape
        self.stem = nn.Sequential(
            ConvNorm(3, s.stem, stride=2, norm=norm),
            ConvNorm(s.stem, s.stride4, stride=2, norm=norm),
            *(Block(s.stride4, s.stride4, norm) for _ in range(s.blocks4)),
        )
        self.stage8 = nn.Sequential(
            ConvNorm(s.stride4, s.stride8, stride=2, norm=norm),
            *(Block(s.stride8, s.hidden8, norm) for _ in range(s.blocks8)),
        )
        self.stage16 = nn.Sequential(
            ConvNorm(s.stride8, s.stride16, stride=2, norm=norm),
            *(Block(s.stride16, s.hidden16, norm) for _ in range(s.blocks16)),
        )
        self.head8 = nn.Conv2d(s.stride8, s.out8, 1)
        self.head16 = nn.Conv2d(s.stride16, s.out16, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        fine = self.stage8(self.stem(x))
        coarse = self.stage16(fine)
        return torch.relu(self.head8(fine)), torch.relu(self.head16(coarse))


@torch.no_grad()
def fold(student: Student, scale8: float = 1.0, scale16: float = 1.0) -> Student:
    """The same network for inference: batch norms inside the convolutions, maps times the given positive scales."""
    folded = Student(student.shape, norm=False).eval()
    sources = {name: module for name, module in student.named_modules() if isinstance(module, ConvNorm)}
    for name, target in folded.named_modules():
        if isinstance(target, ConvNorm):
            conv, norm = sources[name].conv, sources[name].norm
            assert isinstance(norm, nn.BatchNorm2d) and target.conv.bias is not None
            assert norm.running_mean is not None and norm.running_var is not None
            weight, bias = fuse_conv_bn_weights(
                conv.weight, conv.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
            )
            target.conv.weight.copy_(weight)
            target.conv.bias.copy_(bias)
    for head, source, scale in (
        (folded.head8, student.head8, scale8),
        (folded.head16, student.head16, scale16),
    ):
        assert head.bias is not None and source.bias is not None
        head.weight.copy_(source.weight * scale)
        head.bias.copy_(source.bias * scale)
    return folded


@torch.no_grad()
def unfold(folded: Student, frames: Tensor, scale8: float = 1.0, scale16: float = 1.0) -> Student:
    """The opposite of `fold`: the same network with batch norms again, to be trained on.

    `frames` (N, 3, H, W), normalised, are what its norms' statistics are measured on; many, so that those of a batch
    in training say the same.
    """
    student = Student(folded.shape)
    targets = {name: module for name, module in student.named_modules() if isinstance(module, ConvNorm)}
    seen: dict[str, Tensor] = {}

    def watch(name: str) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
        return lambda _module, _given, out: seen.update({name: out})

    sources = {name: module.conv for name, module in folded.named_modules() if isinstance(module, ConvNorm)}
    hooks = [conv.register_forward_hook(watch(name)) for name, conv in sources.items()]
    folded(frames)
    for hook in hooks:
        hook.remove()
    for name, conv in sources.items():
        target, norm = targets[name].conv, targets[name].norm
        assert isinstance(norm, nn.BatchNorm2d) and conv.bias is not None
        assert norm.running_mean is not None and norm.running_var is not None
        var, mean = torch.var_mean(seen[name], dim=(0, 2, 3), correction=0)
        target.weight.copy_(conv.weight)
        norm.running_mean.copy_(mean - conv.bias)
        norm.running_var.copy_(var)
        norm.weight.copy_((var + norm.eps).sqrt())
        norm.bias.copy_(mean)
    for head, source, scale in ((student.head8, folded.head8, scale8), (student.head16, folded.head16, scale16)):
        assert head.bias is not None and source.bias is not None
        head.weight.copy_(source.weight / scale)
        head.bias.copy_(source.bias / scale)
    return student

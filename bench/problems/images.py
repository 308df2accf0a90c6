"""Small smooth energies of images: `convnet`, and `transformer` with layer norm from plain operations."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from bench.exact.activations import ACTIVATIONS, Activation
from bench.point import ProblemSpec
from bench.problems.registry import register
from bench.problems.weights import linear, normal

SHAPES = {64: (1, 8, 2), 196: (1, 14, 2), 784: (1, 28, 4), 3072: (3, 32, 8)}  # D: channels, side, side of a patch
WIDTH_PER_CHANNEL, HEADS = 8, 4
EPSILON = 1e-5


class ConvolutionalEnergy(nn.Module):
    """Convolutions 3×3, the first of stride two, activations between; then the mean over pixels and a linear head."""

    def __init__(self, shape: tuple[int, int], convolutions: list[nn.Conv2d], activation: str, head: nn.Linear) -> None:
        super().__init__()
        self.shape, self.convolutions = shape, nn.ModuleList(convolutions)
        self.activation, self.head = ACTIVATIONS[activation].module(), head

    def log_density(self, x: Tensor) -> Tensor:
        """(B, D) to (B,)."""
        channels, side = self.shape
        h = x.reshape(-1, channels, side, side)
        for convolution in self.convolutions:
            h = self.activation(convolution(h))
        return self.head(h.mean((-2, -1))).squeeze(-1)


class LayerNorm(nn.Module):
    """Centre and scale the last dimension by plain operations.

    The fused ``nn.LayerNorm`` of torch 2.13 gives silently wrong parameter gradients of second input derivatives.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(width, dtype=torch.float64))
        self.shift = nn.Parameter(torch.zeros(width, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        """(…, W) to (…, W)."""
        centred = x - x.mean(-1, keepdim=True)
        variance = (centred * centred).mean(-1, keepdim=True)
        return centred * (variance + EPSILON) ** -0.5 * self.gain + self.shift


class Block(nn.Module):
    """Pre-norm self-attention and a two-layer network, each added to its input."""

    def __init__(self, width: int, heads: int, activation: Activation, generator: torch.Generator) -> None:
        super().__init__()
        self.heads = heads
        self.norm_attention, self.norm_network = LayerNorm(width), LayerNorm(width)
        self.query_key_value = _dense(width, 3 * width, generator)
        self.merge = _dense(width, width, generator, gain=0.5)
        self.network = nn.Sequential(
            _dense(width, 2 * width, generator), activation.module(), _dense(2 * width, width, generator, gain=0.5)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, W) to (B, N, W)."""
        batch, tokens, width = x.shape
        joined = self.query_key_value(self.norm_attention(x))
        query, key, value = joined.view(batch, tokens, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        weights = torch.softmax(query @ key.transpose(-2, -1) / math.sqrt(width // self.heads), -1)
        attended = (weights @ value).transpose(1, 2).reshape(batch, tokens, width)
        x = x + self.merge(attended)
        return x + self.network(self.norm_network(x))


class TransformerEnergy(nn.Module):
    """Patches as tokens with learned positions, blocks, a last norm, the mean over tokens and a linear head."""

    def __init__(
        self, shape: tuple[int, int, int], embed: nn.Linear, positions: Tensor, blocks: list[Block], head: nn.Linear
    ) -> None:
        super().__init__()
        self.shape, self.embed, self.positions = shape, embed, nn.Parameter(positions)
        self.blocks, self.norm, self.head = nn.ModuleList(blocks), LayerNorm(embed.out_features), head

    def log_density(self, x: Tensor) -> Tensor:
        """(B, D) to (B,)."""
        channels, side, patch = self.shape
        count = side // patch
        patches = x.reshape(-1, channels, count, patch, count, patch).permute(0, 2, 4, 1, 3, 5)
        h = self.embed(patches.reshape(-1, count * count, channels * patch * patch)) + self.positions
        for block in self.blocks:
            h = block(h)
        return self.head(self.norm(h).mean(-2)).squeeze(-1)


READS, DIMS = ("depth", "width", "activation"), tuple(SHAPES)


@register("convnet", reads=READS, dims=DIMS)
def build_convnet(spec: ProblemSpec, rows: Tensor, generator: torch.Generator) -> nn.Module:
    """``depth`` convolutions of ``width``/8 channels, at least four, on images of D pixels.

    Pre-activations are centred on the rows, weights divided by the root mean square of φ′ before them, and the head by
    that of ‖∇f‖.
    """
    inputs, side, _ = SHAPES[spec.dim]
    channels = max(spec.width // WIDTH_PER_CHANNEL, 4)
    activation = ACTIVATIONS[spec.activation]
    h, slope = rows.reshape(-1, inputs, side, side), 1.0
    convolutions = []
    for i in range(spec.depth):
        convolution = nn.utils.skip_init(
            nn.Conv2d, h.shape[1], channels, 3, stride=2 if i == 0 else 1, padding=1, dtype=torch.float64
        )
        with torch.no_grad():
            convolution.weight.normal_(0.0, 1.0 / (slope * math.sqrt(9 * h.shape[1])), generator=generator)
            convolution.bias.zero_()
            centre = convolution(h).mean((0, 2, 3))
            convolution.bias.copy_(0.5 * normal(generator, channels) - centre)
            z = convolution(h)
            slope = float(activation.derivative(1, z).square().mean().sqrt())
            h = activation.derivative(0, z)
        convolutions.append(convolution)
    model = ConvolutionalEnergy((inputs, side), convolutions, spec.activation, _dense(channels, 1, generator))
    return _scaled(model, rows)


@register("transformer", reads=READS, dims=DIMS)
def build_transformer(spec: ProblemSpec, rows: Tensor, generator: torch.Generator) -> nn.Module:
    """``depth`` blocks of ``width`` units and four heads (one where ``width`` is no multiple of four).

    The head is divided by the root mean square of ‖∇f‖ on the rows.
    """
    shape = SHAPES[spec.dim]
    channels, side, patch = shape
    heads = HEADS if spec.width % HEADS == 0 else 1
    embed = _dense(channels * patch * patch, spec.width, generator)
    tokens = (side // patch) ** 2
    positions = 0.5 * normal(generator, tokens, spec.width)
    blocks = [Block(spec.width, heads, ACTIVATIONS[spec.activation], generator) for _ in range(spec.depth)]
    return _scaled(TransformerEnergy(shape, embed, positions, blocks, _dense(spec.width, 1, generator)), rows)


def _dense(inputs: int, outputs: int, generator: torch.Generator, gain: float = 1.0) -> nn.Linear:
    weight = normal(generator, outputs, inputs) * (gain / math.sqrt(inputs))
    return linear(weight, torch.zeros(outputs, dtype=torch.float64))


def _scaled(model: ConvolutionalEnergy | TransformerEnergy, rows: Tensor) -> nn.Module:
    """The model with its head divided, so that ‖∇f‖ has root mean square one."""
    x = rows.detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(model.log_density(x).sum(), x)
    with torch.no_grad():
        model.head.weight /= gradient.square().sum(-1).mean().sqrt().clamp_min(1e-12)
    return model

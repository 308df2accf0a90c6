"""Operations for the tests of Taylor rules: each of them, with what else its derivatives may be checked against."""

import torch
from torch import nn
from torch.nn import functional as F

B, D = 3, 4


def theta():
    return torch.linspace(-0.7, 0.9, D, dtype=torch.float64).requires_grad_(True)


def square(z):
    return torch.stack([z, z.flip(-1) * 0.5 + 0.2, torch.sin(z), z * z], -2)


# Each is f(z, w): z is (B, D), between −2 and 2 and away from kinks; w is θ, (D,). Results have B first.
OPERATIONS = {
    "add": lambda z, w: z + w + 1.5 + z * z,
    "add alpha": lambda z, w: torch.add(z * z, z, alpha=0.3) + torch.add(w, z, alpha=2),
    "sub": lambda z, w: (1.5 - z) * (z - w) * (w - z),
    "mul": lambda z, w: z * w * z * 3.0,
    "div": lambda z, w: (z + w) / (3 + z * z) + z / w + w / (z * z + 1) + 1 / (2.5 + z),
    "reciprocal": lambda z, w: torch.reciprocal(z * w + 4),
    "neg": lambda z, w: (-z) ** 3,
    "pow 2": lambda z, w: z**2 * w,
    "pow 3": lambda z, w: torch.pow(z, 3),
    "pow 7": lambda z, w: (z * w) ** 7,
    "pow 2.5": lambda z, w: (3 + z * w) ** 2.5,
    "pow -2": lambda z, w: (3 + z) ** -2,
    "pow 0": lambda z, w: z**0 * z * w,
    "pow tensor": lambda z, w: (3 + z) ** (z * w),
    "pow exponent": lambda z, w: 2.0 ** (z * w),
    "pow base tensor": lambda z, w: (w + 2.5) ** z,
    "exp": lambda z, w: torch.exp(z * w),
    "expm1": lambda z, w: torch.expm1(z * w),
    "log": lambda z, w: torch.log(3 + z * w),
    "log1p": lambda z, w: torch.log1p(2.2 + z * w),
    "sqrt": lambda z, w: (3 + z * w).sqrt(),
    "rsqrt": lambda z, w: torch.rsqrt(3 + z * w),
    "sin": lambda z, w: torch.sin(2 * z * w),
    "cos": lambda z, w: torch.cos(2 * z * w),
    "tan": lambda z, w: torch.tan(0.5 * z * w),
    "sinh": lambda z, w: torch.sinh(z * w),
    "cosh": lambda z, w: torch.cosh(z * w),
    "atan": lambda z, w: torch.atan(z * w),
    "tanh": lambda z, w: torch.tanh(z * w),
    "sigmoid": lambda z, w: torch.sigmoid(2 * z * w),
    "logsigmoid": lambda z, w: F.logsigmoid(2 * z * w),
    "softplus": lambda z, w: F.softplus(z * w, beta=2),
    "silu": lambda z, w: F.silu(z * w),
    "gelu": lambda z, w: F.gelu(z * w),
    "gelu tanh": lambda z, w: F.gelu(z * w, approximate="tanh"),
    "mish": lambda z, w: F.mish(z * w),
    "softsign": lambda z, w: F.softsign(z * w),
    "erf": lambda z, w: torch.erf(z * w),
    "erfc": lambda z, w: torch.erfc(z * w),
    "relu": lambda z, w: F.relu(z * z * w),
    "leaky_relu": lambda z, w: F.leaky_relu(z * z * z * w, 0.1),
    "elu": lambda z, w: F.elu(z * w, 1.3),
    "selu": lambda z, w: F.selu(z * w),
    "celu": lambda z, w: F.celu(z * w, 2.0),
    "abs": lambda z, w: (z * z * w).abs() + abs(z),
    "clamp": lambda z, w: torch.clamp(z * z * w, -0.5, 0.6) + (z * w).clamp(min=0.1) + z.clamp(max=w),
    "hardtanh": lambda z, w: F.hardtanh(z * z * w) + F.relu6(z * z * w),
    "where": lambda z, w: torch.where(z > w, z * z * w, torch.sin(z)) + torch.where(z > 0, z, 0.5),
    "maximum": lambda z, w: torch.maximum(z * z, w) + torch.minimum(z * w, z * z),
    "max": lambda z, w: (z * z * w).max(-1)[0] + (z * z).amax(-1) * (z * w).amin(-1, keepdim=False),
    "linear": lambda z, w: F.linear(F.linear(z, weight(w), w) ** 2, weight(w)),
    "matmul": lambda z, w: (z @ weight(w)) * (z @ w).unsqueeze(-1) + torch.matmul(z * z, weight(w).T),
    "matmul left": lambda z, w: (weight(w) @ square(z) @ square(z).mT).flatten(1),
    "addmm": lambda z, w: torch.addmm(w, z * z, weight(w)),
    "bmm": lambda z, w: torch.bmm(square(z) * w, square(z)).flatten(1),
    "einsum": lambda z, w: torch.einsum("bi,ij,bj->b", z, weight(w), z) * torch.einsum("bi,i->b", z, w),
    "einsum matrix": lambda z, w: torch.einsum("bij,bkj->bik", square(z), square(z) * w).flatten(1),
    "conv2d": lambda z, w: F.conv2d(square(z).unsqueeze(1) ** 2, w.view(1, 1, 2, 2).repeat(2, 1, 1, 1), w[:2]).flatten(
        1
    ),
    "conv1d": lambda z, w: F.conv1d(z.unsqueeze(1) ** 2, w.view(2, 1, 2), padding=1).flatten(1),
    "conv_transpose2d": lambda z, w: F.conv_transpose2d(square(z).unsqueeze(1), w.view(1, 1, 2, 2)).flatten(1),
    "avg_pool2d": lambda z, w: (F.avg_pool2d(square(z * w).unsqueeze(1), 2) ** 2).flatten(1),
    "max_pool2d": lambda z, w: (F.max_pool2d(square(z * w).unsqueeze(1), 2) ** 2).flatten(1),
    "sum": lambda z, w: (z * z * w).sum(-1) + (z * w).sum(1, keepdim=True)[:, 0] ** 2,
    "mean": lambda z, w: (z * z * w).mean(dim=1) * z.mean(-1),
    "cumsum": lambda z, w: torch.cumsum(z * w, 1) ** 2,
    "prod": lambda z, w: torch.prod(z * w, 1) + torch.prod(z[:, :3], -1),
    "var": lambda z, w: (z * w).var(-1) + (z * z).var(1, unbiased=False) + (z * w).std(dim=1),
    "norm": lambda z, w: torch.norm(z * w, dim=-1) + torch.linalg.vector_norm(z, dim=1) + (z * w).norm(p=3, dim=-1),
    "norm 1": lambda z, w: (z * z * w).norm(p=1, dim=-1) + F.normalize(z * w, dim=-1).sum(-1),
    "logsumexp": lambda z, w: torch.logsumexp(3 * z * w, -1) + torch.logsumexp(z, dim=1, keepdim=True).squeeze(1),
    "softmax": lambda z, w: (torch.softmax(3 * z * w, -1) * z).sum(-1),
    "log_softmax": lambda z, w: F.log_softmax(3 * z * w, dim=-1),
    "layer_norm": lambda z, w: F.layer_norm(z * z + w, (D,), w, w * 2) ** 2,
    "rms_norm": lambda z, w: F.rms_norm(z * z + w, (D,), w) ** 2,
    "group_norm": lambda z, w: F.group_norm(z * z + w, 2, w, w) ** 2,
    "batch_norm": lambda z, w: F.batch_norm(z * z, w.detach(), w.detach() ** 2, w, w) ** 2,
    "attention": lambda z, w: F.scaled_dot_product_attention(square(z), square(z * w), square(z)).flatten(1),
    "reshape": lambda z, w: ((z * w).reshape(B, 2, -1).view(B, 4) ** 2).flatten(1).unflatten(1, (2, 2)).flatten(1),
    "permute": lambda z, w: (square(z * w).permute(0, 2, 1) @ square(z)).flatten(1),
    "transpose": lambda z, w: (torch.transpose(square(z), 1, 2) * w + square(z).mT ** 2).flatten(1),
    "squeeze": lambda z, w: (z.unsqueeze(1) * w).squeeze(1) * z.unsqueeze(-1).squeeze(),
    "expand": lambda z, w: (z.unsqueeze(1).expand(B, 2, D) * w * z.unsqueeze(1).repeat(1, 2, 1)).flatten(1),
    "index": lambda z, w: (
        z[:, 0] * z[:, -1] * w[0] + z[..., 1:3].sum(-1) * z[:, [0, 2]].sum(-1) + z[:, None, 1, None].flatten()
    ),
    "index tensor": lambda z, w: (
        (z[:, torch.tensor([1, 0, 3])] * w[:3]) ** 2 + z.index_select(1, torch.tensor([0, 0, 1]))
    ),
    "gather": lambda z, w: (z * w).gather(1, torch.tensor([[0, 1], [2, 2], [3, 0]])) ** 2,
    "cat": lambda z, w: torch.cat([z * w, z * z, w.expand(B, D)], -1) ** 2,
    "stack": lambda z, w: (torch.stack([z * w, z, w.expand(B, D)], 1) ** 2).flatten(1),
    "split": lambda z, w: z.chunk(2, -1)[0] * (z * w).split(2, 1)[1] * z.split([1, 3], -1)[0],
    "unbind": lambda z, w: sum(a * b for a, b in zip(z.unbind(1), w.unbind(0), strict=True)) ** 2,
    "roll flip": lambda z, w: z.roll(1, -1) * z.flip(-1) * w,
    "tril diagonal": lambda z, w: (square(z * w).tril() @ square(z)).diagonal(dim1=1, dim2=2),
    "movedim narrow": lambda z, w: (square(z).movedim(1, 2) * w).narrow(1, 0, 2).select(2, 1) ** 2,
    "addcmul lerp": lambda z, w: torch.addcmul(w, z, z, value=0.5) + torch.lerp(z, z * z, 0.3),
    "detach": lambda z, w: z * z.detach() * w + torch.zeros_like(z) + torch.sign(z) * z,
    "dropout": lambda z, w: F.dropout(z * z * w, 0.5, training=False),
    "float": lambda z, w: (z * w).to(torch.float64).double() ** 2,
    "to another's": lambda z, w: w.float().to(z**2) * z**2 + (z * w).to(z),
    "constant": lambda z, w: w.expand(B, D) * 2,
}


def plain_layer_norm(z, w, eps=1e-5):
    centred = z - z.mean(-1, keepdim=True)
    return centred / ((centred**2).mean(-1, keepdim=True) + eps).sqrt() * w


# Where autograd's own higher derivatives are wrong (the fused layer norm's, on torch 2.13): in plain operations.
REFERENCES = {"layer_norm": lambda z, w: (plain_layer_norm(z * z + w, w) + w * 2) ** 2}


class PlainLayerNorm(nn.LayerNorm):
    def forward(self, z):
        return plain_layer_norm(z, self.weight) + self.bias


def weight(w):
    return torch.outer(w, w) + torch.diag(w) + 0.3

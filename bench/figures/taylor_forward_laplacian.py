"""The forward Laplacian against torch.func.hessian, and compressed against uncompressed, in one run.

50-768-768-512-512-1 tanh, batch 32, float32: wanted, torch.func.hessian at least 2.5 times forward_laplacian, value and
step. 784-128×4-1 softplus, batch 16: wanted, uncompressed at least 3 times compressed.

Both routes are nearly all matrix products, whose operations are printed. The Hessian by forward over reverse sends D
tangents through the net and back, 2 D + 4 passes for a value and 6 D + 10 for a step; the forward Laplacian D + 2 and
3 (D + 2). No exact design known to us takes fewer: tr H = Σ_l tr(J_lᵀ diag(g_l ∘ φ_l″) J_l) over the layers, with the
gradients g_l from one reverse pass, needs the same D columns J_l of every layer (D + 2 passes), and its θ-gradient the
columns H_l J_l (D more) and their products with J_lᵀ (D more). Gram matrices J_l J_lᵀ replace D by the width, and QR of
the first weight by min(D, W₁), which is D here. So the ratio is two, and what lies beyond is what the Hessian spends
outside products.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

import estimators
from bench.figures.taylor_rounds import arguments, energy, relative_error, report, rounds, step, value
from bench.meters.flops import count


def main() -> None:
    """Print the tables."""
    options = arguments(__doc__, rounds=11)
    net, x = energy((50, 768, 768, 512, 512, 1), nn.Tanh), torch.randn(32, 50)

    def hessian() -> Tensor:
        return estimators.get("hessian_trace")(net, x)

    def forward() -> Tensor:
        return estimators.get("forward_laplacian")(net, x)

    wanted = [("torch.func.hessian", "forward_laplacian", ">= 2.5")]
    values = {"torch.func.hessian": value(hessian), "forward_laplacian": value(forward)}
    report("D = 50, value", rounds(values, options.rounds), wanted)
    steps = {"torch.func.hessian": step(net, hessian), "forward_laplacian": step(net, forward)}
    report("D = 50, value and gradient", rounds(steps, options.rounds), wanted)
    for what, calls in (("value", values), ("value and gradient", steps)):
        flops = {name: count(call) for name, call in calls.items()}
        ratio = flops["torch.func.hessian"] / flops["forward_laplacian"]
        counts = " and ".join(f"{n:.4g}" for n in flops.values())
        print(f"  operations in products, {what}: {counts}, {ratio:.3f} times as many")
    print(f"  relative difference of the values: {relative_error(forward().detach(), hessian().detach()):.1e}")

    wide, y = energy((784, *(128,) * 4, 1), nn.Softplus), torch.randn(16, 784)

    def compressed(compress: bool = True) -> Tensor:
        return estimators.get("forward_laplacian")(wide, y, compress=compress)

    wanted = [("uncompressed", "compressed", ">= 3")]
    values = {"uncompressed": value(lambda: compressed(False)), "compressed": value(compressed)}
    report("D = 784, first width 128, value", rounds(values, options.rounds), wanted)
    steps = {"uncompressed": step(wide, lambda: compressed(False)), "compressed": step(wide, compressed)}
    report("D = 784, first width 128, value and gradient", rounds(steps, options.rounds), wanted)
    print(
        f"  relative difference of the values: {relative_error(compressed().detach(), compressed(False).detach()):.1e}"
    )


if __name__ == "__main__":
    main()

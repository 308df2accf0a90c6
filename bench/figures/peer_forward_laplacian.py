"""The forward Laplacian against jet-for-pytorch's collapsed Taylor mode, in one run.

50-768-768-512-512-1 tanh, batch 32, float32: wanted, forward_laplacian not slower, value and step. Needs the
environment of bench/peers/requirements.txt: ``PYTHONPATH=. python -m bench.figures.peer_forward_laplacian`` there.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

import estimators
from bench.figures.taylor_rounds import arguments, energy, relative_error, report, rounds, step, value

PEER = Path(__file__).parents[1] / "peers" / "jet_for_pytorch.py"


def main() -> None:
    """Print the tables."""
    options = arguments(__doc__, rounds=11)
    names = ("forward_laplacian", *estimators.load_file(PEER))
    net, x = energy((50, 768, 768, 512, 512, 1), nn.Tanh), torch.randn(32, 50)

    def estimate(name: str) -> Tensor:
        return estimators.get(name)(net, x)

    wanted = [(name, "forward_laplacian", ">= 1") for name in names[1:]]
    values = {name: value(partial(estimate, name)) for name in names}
    report("D = 50, value", rounds(values, options.rounds), wanted)
    steps = {name: step(net, partial(estimate, name)) for name in names}
    report("D = 50, value and gradient", rounds(steps, options.rounds), wanted)
    error = relative_error(estimate(names[0]).detach(), estimate(names[1]).detach())
    print(f"  relative difference of the values: {error:.1e}")


if __name__ == "__main__":
    main()

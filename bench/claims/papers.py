"""The papers whose claims are in the ledger."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Paper:
    """Authors, year and title."""

    authors: str
    year: int
    title: str
    venue: str = ""

    def __str__(self) -> str:
        return f"{self.authors} ({self.year}), {self.title}" + (f", {self.venue}" if self.venue else "")


FINITE_DIFFERENCE = Paper(
    "Pang, Xu, Li, Song, Ermon, Zhu",
    2020,
    "Efficient Learning of Generative Models via Finite-Difference Score Matching",
    "NeurIPS",
)
SLICED = Paper(
    "Song, Garg, Shi, Ermon", 2019, "Sliced Score Matching: A Scalable Approach to Density and Score Estimation", "UAI"
)
EQUILIBRIUM = Paper("Huang, Wang, Onwunta, Wang", 2024, "Efficient Score Matching with Deep Equilibrium Layers", "ICLR")
FLOWS = Paper(
    "Chao, Sun, Hsu, Kira, Lee",
    2023,
    "Training Energy-Based Normalizing Flow with Score-Matching Objectives",
    "NeurIPS",
)
COMPOSITE = Paper("Meng, Yu, Song, Song, Ermon", 2020, "Autoregressive Score Matching", "NeurIPS")
SALIENCY = Paper(
    "Srinivas, Fleuret",
    2021,
    "Rethinking the Role of Gradient-Based Attribution Methods for Model Interpretability",
    "ICLR",
)
SAMPLES = Paper(
    "Gupta, Parulekar, Price, Xun", 2024, "Improved Sample Complexity Bounds for Diffusion Model Training", "NeurIPS"
)
HUTCHPP = Paper("Meyer, Musco, Musco, Woodruff", 2021, "Hutch++: Optimal Stochastic Trace Estimation", "SOSA")
XTRACE = Paper(
    "Epperly, Tropp, Webber",
    2024,
    "XTrace: Making the Most of Every Sample in Stochastic Trace Estimation",
    "SIAM J. Matrix Anal. Appl.",
)
PROBES = Paper(
    "Hu, Shi, Karniadakis, Kawaguchi",
    2024,
    "Hutchinson Trace Estimation for High-Dimensional and High-Order Physics-Informed Neural Networks",
    "Computer Methods in Applied Mechanics and Engineering",
)
COLLAPSED = Paper(
    "Dangel, Siebert, Zeinhofer, Walther", 2025, "Collapsing Taylor Mode Automatic Differentiation", "NeurIPS"
)
FORWARD_LAPLACIAN = Paper(
    "Li, Ye, Zhang, and others",
    2024,
    "A computational framework for neural network-based variational Monte Carlo with Forward Laplacian",
    "Nature Machine Intelligence",
)

"""Which machine this is, and which commit of the estimators it measures."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any


def fingerprint() -> dict[str, Any]:
    """What a reader has to know of the machine behind a number: processor, memory, system, versions, GPUs, flags."""
    import psutil
    import torch

    return {
        "cpu": cpu_model(),
        "cores_logical": psutil.cpu_count(),
        "cores_physical": psutil.cpu_count(logical=False),
        "cores_usable": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else psutil.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "governor": governor(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "blas": _blas(),
        "cuda": torch.version.cuda or "",
        "gpus": gpus(),
        "tf32_matmul": torch.backends.cuda.matmul.allow_tf32,
        "tf32_cudnn": torch.backends.cudnn.allow_tf32,
        "float32_matmul_precision": torch.get_float32_matmul_precision(),
    }


@cache
def hardware_class(device: str = "cpu") -> str:
    """Machines of one class share results: the processor's model and cores; for CUDA also the GPU and its memory."""
    import psutil

    cpu = f"{cpu_model()}, {psutil.cpu_count()} cores, {platform.system()} {platform.machine()}"
    if not device.startswith("cuda"):
        return cpu
    index = int(device.partition(":")[2] or 0)
    found = gpus()
    return f"{found[index]}; {cpu}" if index < len(found) else f"no such GPU; {cpu}"


@cache
def cpu_model() -> str:
    """The processor's name as its maker gives it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            name, _, value = line.partition(":")
            if name.strip() in ("model name", "Model", "cpu model"):
                return " ".join(value.split())
    except OSError:
        pass
    if platform.system() == "Darwin":
        return _output(["sysctl", "-n", "machdep.cpu.brand_string"]) or platform.processor()
    return platform.processor() or platform.machine()


def governor() -> str:
    """How the processor's clock is governed; empty where the system does not say."""
    try:
        return Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor").read_text().strip()
    except OSError:
        return ""


def gpus() -> list[str]:
    """Name and memory of each CUDA device."""
    import torch

    if not torch.cuda.is_available():
        return []
    properties = map(torch.cuda.get_device_properties, range(torch.cuda.device_count()))
    return [f"{p.name}, {round(p.total_memory / 2**30)} GiB" for p in properties]


@cache
def commit() -> str:
    """The git commit of the estimators that are imported, with ``+`` where their files differ from it.

    Installed from a commit rather than imported from a checkout, it is what the installation recorded; empty where
    nothing says.
    """
    import estimators

    return commit_of(Path(estimators.__file__).resolve().parent)


def commit_of(package: Path) -> str:
    """The git commit of one package's folder."""
    git = ["git", "-C", str(package)]
    # A folder that git ignores may lie inside another checkout (an environment in .asv): its commit would be wrong.
    if _output([*git, "ls-files", "--error-unmatch", "__init__.py"]):
        head = _output([*git, "rev-parse", "HEAD"])
        return head + ("+" if _output([*git, "status", "--porcelain", "--", "."]) else "")
    return os.environ.get("ASV_COMMIT", "") or _recorded_commit()


def _recorded_commit() -> str:
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        recorded = json.loads(distribution("estimator-bench").read_text("direct_url.json") or "{}")
    except (PackageNotFoundError, ValueError):
        return ""
    return str(recorded.get("vcs_info", {}).get("commit_id", ""))


def torch_version() -> str:
    """The version of torch, without importing it."""
    return version("torch")


def _blas() -> str:
    """The linear algebra library that torch was built with, its version where torch says it, and the vector units."""
    import torch

    config = torch.__config__.show()
    name = re.search(r"BLAS_INFO=(\w+)", config)
    release = re.search(r"(?:Math Kernel Library|OpenBLAS)\s+(?:Version )?([\w.]+)", config)
    capability = re.search(r"CPU capability usage: (\w+)", config)
    found = [name and name.group(1), release and release.group(1), capability and capability.group(1)]
    return " ".join(part for part in found if part)


def _output(command: list[str]) -> str:
    """What a command prints; empty where it fails or is not there."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""

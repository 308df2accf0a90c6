"""Synthetic rows of several commits, and a folder of asv's results: planted steps, two machines, a failure, a gap."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

COMMITS = [f"{place:x}" * 40 for place in range(1, 8)]
MACHINES = {"quiet": {"cpu": "Quiet CPU", "cores_logical": 8}, "loud": {"cpu": "Loud CPU", "cores_logical": 2}}
# estimator: seconds at each commit; None did not finish, missing is not there
SECONDS: dict[str, list[float | None]] = {
    "ssm": [2e-3, 2e-3, 2e-3, 2.5e-3, 2.5e-3, 2.5e-3, 2.5e-3],  # slower at the fourth commit
    "taylor_ssm": [1.2e-3] * 7,
    "fd_ssm": [None, 1.3e-3, 1.3e-3, 1.3e-3, 1.3e-3, 1.3e-3, 1.3e-3],
}


def rows_of_commits(machine: str = "quiet", factor: float = 1.0) -> list[dict[str, Any]]:
    """Rows of a store: ssm slower at the fourth commit, fd_ssm biased at the fifth, taylor_ssm heavier at the sixth."""
    rng, rows = np.random.default_rng(len(machine)), []
    for place, commit in enumerate(COMMITS):
        for estimator, seconds in SECONDS.items():
            at = seconds[place]
            failed = at is None
            step = None if at is None else factor * at * (1 + 0.01 * rng.standard_normal())
            biased = estimator == "fd_ssm" and place >= 4
            rows.append({
                "key": f"{machine}{commit[:8]}{estimator}", "quantity": "score_matching", "estimator": estimator,
                "options": {"probes": 1}, "target": "sm", "model": "mlp", "data": "digits", "dim": 64, "depth": 2,
                "order": 2, "width": 128, "activation": "softplus", "residual": False, "stage": "init", "batch": 64,
                "probes": 1, "dtype": "float32", "device": "cpu", "threads": 1, "seed": 0,
                "time_step_s": step, "time_step_low_s": step and 0.99 * step, "time_step_high_s": step and 1.01 * step,
                "time_value_s": step and step / 3, "flops_step": None if failed else 10**6,
                "peak_step_bytes": None if failed else 10**6 + 10**5 * (estimator == "taylor_ssm" and place >= 5),
                "grad_bias": None if failed else 0.05 if biased else 1e-4,
                "grad_bias_low": None if failed else 0.04 if biased else 0.0,
                "grad_bias_high": None if failed else 0.06 if biased else 5e-4, "bias_resolved": biased,
                "grad_std": None if failed else 0.5, "draws": 64,
                "outcome": "timeout" if failed else "ok", "reason": "no answer within 60 s" if failed else None,
                "commit": commit, "machine": json.dumps(MACHINES[machine]), "torch_version": "2.13.0",
                "method_version": "1", "estimator_source": commit[:12],
                "started_at": f"2026-01-{place + 1:02}T00:00:00Z",
            })  # fmt: skip
    return rows


def write_asv_results(folder: Path, machine: str = "lab", names: dict[str, list[float | None]] | None = None) -> Path:
    """asv's results of the same commits: step times with statistics, and biases without."""
    names = SECONDS if names is None else names
    here = folder / machine
    here.mkdir(parents=True)
    facts = {"machine": machine, "cpu": "Lab CPU", "num_cpu": "4", "arch": "x86_64", "os": "Linux", "ram": "8"}
    (here / "machine.json").write_text(json.dumps({**facts, "version": 1}))
    (folder / "benchmarks.json").write_text(json.dumps({"version": 2}))
    params = [[repr(name) for name in names], ["64"], ["2"], ["2"]]
    for place, commit in enumerate(COMMITS):
        seconds = [values[place] for values in names.values()]
        times = [seconds, params, "1", 0, 0.1]
        times += [[at and factor * at for at in seconds] for factor in (0.99, 1.01, 0.995, 1.005)]
        biases = [[None if at is None else 0.0 if place < 4 else 0.25 for at in seconds], params, "1"]
        flops = [[float("nan") if place == 0 else 10.0 for _ in seconds], params, "1"]
        content = {
            "commit_hash": commit, "env_name": "virtualenv-py3.11-torch2.13.0", "date": 1_767_225_600_000 + place,
            "params": {**facts, "python": "3.11", "torch": "2.13.0"}, "python": "3.11",
            "requirements": {"torch": "2.13.0"}, "env_vars": {}, "durations": {}, "version": 2,
            "result_columns": [
                "result", "params", "version", "started_at", "duration", "stats_ci_99_a", "stats_ci_99_b",
                "stats_q_25", "stats_q_75", "stats_number", "stats_repeat", "samples", "profile",
            ],
            "results": {
                "sweep.ScoreMatching.track_step_time": times,
                "sweep.ScoreMatching.track_gradient_bias": biases,
                "sweep.ScoreMatching.track_flops": flops,
                "harness.Harness.track_store_insert": [[0.1], [], "1"],
            },
        }  # fmt: skip
        (here / f"{commit[:8]}-virtualenv-py3.11-torch2.13.0.json").write_text(json.dumps(content))
    return folder

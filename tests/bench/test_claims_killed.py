"""`claims` killed while it trains goes on by the same command: what was measured is not measured again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.__main__ import main
from bench.claims import Claim, Finding, Rows, Verdict, claims, ledger
from bench.claims.claim import verdict
from bench.claims.trainings import trainings
from bench.store import Store

ROOT = Path(__file__).parents[2]
COMMAND = """
import sys
from bench.__main__ import main
from bench.claims import ledger
from tests.bench.test_claims_killed import small
ledger.claims = small
sys.exit(main(sys.argv[1:]))
"""
SIZE: dict[str, Any] = {"dim": 2, "depth": 1, "width": 4, "batch": 4, "data": "gaussian"}
RUNS = trainings("sm_exact", budget_steps=200, marks=20, rows=16, held_out=4, **SIZE)[:2]
EVALUATIONS = 2 * 21


def judge(rows: Rows) -> Verdict:
    gap = rows.runs.gap(RUNS, RUNS)
    return verdict(f"{gap}", Finding("gap", gap, at_most=1.0))


def small() -> dict[str, Claim]:
    """A ledger of one claim, on two runs; that points are not measured again, test_claims and test_resume show."""
    plain = claims()["any_order"]
    return {"small": replace(plain, name="small", points=list, runs=lambda: RUNS, judge=judge)}


def places(path: Path) -> int:
    if not path.exists():
        return 0
    with Store(path) as store:
        return sum(1 for _ in store.training_points())


def test_sigkill_while_it_trains(tmp_path, monkeypatch, capsys):
    store = tmp_path / "s.sqlite"
    arguments = ["claims", "--json", "--store", str(store)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen([sys.executable, "-c", COMMAND, *arguments], cwd=ROOT, env=environment, **quiet)
    deadline = time.monotonic() + 300
    while places(store) < 3 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    assert process.wait(timeout=60) == -9
    seen = places(store)
    assert 3 <= seen < EVALUATIONS
    with Store(store) as opened:
        before = list(opened.training_points())

    monkeypatch.setattr(ledger, "claims", small)
    assert main(arguments) == 0
    out, err = capsys.readouterr()
    assert "1 claim, 0 points to measure and 2 runs to train" in err
    told = json.loads(out)[0]
    assert (told["word"], told["number"]) == ("reproduced", 0.0) and len(told["runs"]) == 2
    with Store(store) as opened:
        after = list(opened.training_points())
    assert all(evaluation in after for evaluation in before) and len(after) == EVALUATIONS

"""An estimator's page: values in the units of their heads, with intervals, and its mark."""

from __future__ import annotations

from reports.frames.points import points
from reports.frames.rows import from_rows
from reports.pages.estimator import estimator_page
from reports.palette import marks
from tests.reports.synthetic_rows import synthetic_rows


def test_points_come_with_units_intervals_and_limits():
    row = next(r for r in synthetic_rows() if r["estimator"] == "ssm" and r["outcome"] == "ok")
    row |= {"time_step_s": 1.5e-3, "time_step_low_s": 1.4e-3, "time_step_high_s": 1.75e-3, "peak_step_bytes": 2_500_000}
    row |= {"grad_bias": 0.01, "grad_bias_low": 0.0, "grad_bias_high": 0.031, "bias_resolved": False}
    resolved = row | {"seed": 7, "bias_resolved": True, "grad_bias_low": 0.008, "grad_bias_high": 0.012}
    page = estimator_page("ssm", points(from_rows([row, resolved])), marks(["ssm"])["ssm"])
    assert page.count("<bdi>1.5 (1.4 to 1.75)</bdi>") == 2 and "step, ms" in page
    assert page.count("<bdi>2.5</bdi>") == 2 and "peak memory, MB" in page
    assert page.count("<bdi>&lt; 0.031</bdi>") == 1
    assert page.count("<bdi>0.01 (0.008 to 0.012)</bdi>") == 1
    assert f'<path d="{marks(["ssm"])["ssm"].path}" fill="{marks(["ssm"])["ssm"].colour}"/>' in page


def test_the_link_leads_to_where_it_was_measured_most():
    """A view of another model would not show it: an equilibrium's estimator is on equilibria alone."""
    row = next(r for r in synthetic_rows() if r["estimator"] == "ssm" and r["outcome"] == "ok")
    rows = [row | {"model": model, "seed": seed} for seed, model in enumerate(("made", "deq", "deq"))]
    skipped = [row | {"model": "mlp", "seed": seed, "outcome": "skipped"} for seed in range(3, 9)]
    page = estimator_page("ssm", points(from_rows(rows + skipped)), marks(["ssm"])["ssm"])
    assert 'href="../index.html#quantity=score_matching&amp;model=deq"' in page

"""Every property of the conformance battery, over the whole registry: a new estimator is tested by being registered."""

import pytest
import torch

import estimators
from estimators import testing
from estimators.testing import accuracy


@pytest.mark.parametrize("prop", testing.PROPERTIES)
@pytest.mark.parametrize("name", estimators.names())
def test_property(name, prop):
    report = testing.check(name, only=(prop,))
    if prop in report.skipped:
        pytest.skip(report.skipped[prop])


LAWS = ("gaussian", "sphere", "orthonormal", "coordinate", "rademacher")


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("name", [n for n in estimators.names() if "law" in estimators.get(n).options])
def test_unbiased_with_every_law_it_accepts(name, law, monkeypatch):
    """With an eighth of the battery's draws: a law's wrong scale is seen at 10 %."""
    monkeypatch.setattr(accuracy, "COPIES", 256)
    est = estimators.get(name)
    subject = testing.Subject(est, {"law": law, **({"probes": 2} if est.options.get("probes") == 1 else {})})
    try:
        for case in subject.cases():
            subject.call(case)
    except ValueError as refusal:
        assert "law" in str(refusal)
        pytest.skip(f"refused: {refusal}")
    testing.check(name, only=("unbiased",), **subject.options)


@pytest.mark.parametrize("chunk", [1, 2, None])
@pytest.mark.parametrize("name", [n for n in estimators.names() if "chunk" in estimators.get(n).options])
def test_chunk_changes_nothing(name, chunk):
    """Up to rounding, which a finite step of 0.1 does not amplify much."""
    est = estimators.get(name)
    fixed = {"probes": 3} if est.options.get("probes") == 1 else {}
    if est.step:
        fixed[est.step] = 0.1
    for case in testing.Subject(est, {}).cases():
        values = [testing.Subject(est, {**fixed, "chunk": c}).call(case, seed=5) for c in (chunk, 3)]
        gradients = [testing.theta_gradient(v, case) for v in values]
        torch.testing.assert_close(values[0], values[1], rtol=1e-10, atol=1e-10)
        torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-10, atol=1e-10)

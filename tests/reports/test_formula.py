"""Formulas in HTML: what is set, what stays, and that nothing gets through unescaped."""

from __future__ import annotations

import pytest

import estimators
from reports.pages.formula import formula, prose


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Σ_m v_mᵀ s", "Σ<sub>m</sub> v<sub>m</sub>ᵀ s"),
        ("w_m = (ε/√D) v_k", "w<sub>m</sub> = (ε/√D) v<sub>k</sub>"),
        ("O(ε^2) + t^{-1/2}", "O(ε<sup>2</sup>) + t<sup>-1/2</sup>"),
        ("per_sqrt_dim and log_p(x)", "per_sqrt_dim and log_p(x)"),
        ("a < b & <script>", "a &lt; b &amp; &lt;script&gt;"),
        ("x_<b>", "x_&lt;b&gt;"),
    ],
)
def test_formula(text, expected):
    assert str(formula(text)) == expected


def test_prose_sets_names_as_code():
    assert str(prose("pairs with ``ssm`` <i>")) == "pairs with <code>ssm</code> &lt;i&gt;"


def test_no_formula_of_the_registry_loses_a_character():
    for name in estimators.names():
        text = estimators.get(name).formula
        left = str(formula(text).striptags())
        assert sorted(set(text) - set("_^{}\n ")) == sorted(set(left) - set("_^{}\n ")), name

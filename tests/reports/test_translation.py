"""The verdict's rule in JavaScript: the same numbers as in Python, and a refusal of what has no translation."""

from __future__ import annotations

import math
import random
import types

import pytest

from bench.recommend import rule
from reports.pages import translation


def test_the_rule_gives_the_same_in_both_languages(browser):
    draw = random.Random(0)
    cases = []
    for _ in range(300):
        names = ("step", "step_low", "step_high", "bias_low", "bias_high", "std", "memory")
        facts = {name: draw.choice([0.0, 0.05, 0.3]) + draw.choice([1e-3, 0.1]) * draw.random() for name in names}
        limits = draw.choice([0.01, 0.1, 0.4]), draw.choice([0.05, 0.2, math.inf]), draw.choice([0.5, math.inf])
        cases.append([facts, *limits])
    page = browser.new_page()
    text = translation.javascript(rule)
    found = page.evaluate(f"cases => {{ {text} return cases.map((case_) => judged(...case_)); }}", cases)
    page.close()
    assert {answer["why"] for answer in found} == set(rule.REFUSALS) - {"memory unknown"} | {""}
    for case, answer in zip(cases, found, strict=True):
        expected = rule.judged(*case)
        assert answer["why"] == expected["why"]
        numbers = [name for name in expected if name != "why"]
        assert [answer[name] for name in numbers] == pytest.approx([expected[name] for name in numbers], rel=1e-12)


@pytest.mark.parametrize("line", ["while x: x = 0", "return [y for y in x]", "return 0 < x < 2", "return f(x, y=x)"])
def test_what_has_no_translation_is_refused(line, monkeypatch):
    monkeypatch.setattr(translation.inspect, "getsource", lambda _: f"def f(x):\n    {line}\n")
    with pytest.raises(translation.TranslationError, match="line 2"):
        translation.javascript(types)

"""The registry: names, facts, refusals with close matches, plugins by file and by entry point."""

import textwrap

import pytest

import estimators
from estimators import registry

PLUGIN = """
    import estimators

    @estimators.register("{name}", quantity="laplacian", source="Somebody (2026)", tags=("mine",))
    def {name}(f, x, *, order, generator, probes=1, law="gaussian"):
        '''One line.

        Δf(x) ≈ something.
        '''
        return estimators.get("hutchinson")(f, x, order=order, generator=generator, probes=probes, law=law)
"""


@pytest.fixture(autouse=True)
def throw_registrations_away(monkeypatch):
    monkeypatch.setattr(registry, "_estimators", dict(registry._estimators))


def test_names_are_sorted_and_filtered_by_quantity():
    everything = estimators.names()
    assert list(everything) == sorted(everything)
    for quantity in ("directional", "laplacian", "score_matching"):
        assert all(estimators.get(n).quantity == quantity for n in estimators.names(quantity))
        assert set(estimators.names(quantity)) <= set(everything)
    with pytest.raises(ValueError, match=r"no quantity called 'laplcian'; did you mean 'laplacian'\?"):
        estimators.names("laplcian")


def test_an_unknown_name_is_a_key_error_with_the_close_matches():
    with pytest.raises(KeyError, match=r"did you mean 'hutchinson'"):
        estimators.get("hutchinsen")


@pytest.mark.parametrize("name", estimators.names())
def test_every_estimator_states_its_facts(name):
    est = estimators.get(name)
    assert est.source, "every estimator has a source"
    assert est.formula, "the second paragraph of the docstring is the formula"
    paragraphs = est.__doc__.strip().split("\n\n")
    assert "\n" not in paragraphs[0].strip(), "the docstring starts with one line"
    order = [est.__doc__.find(part) for part in ("Cost:", "Args:", "Returns:", "Raises:", "Source:")]
    assert -1 not in order and order == sorted(order), f"docstring parts in order: {order}"
    for option in est.options:
        assert f"{option}:" in est.__doc__, f"option {option} is documented"
    if est.pair is not None:
        assert estimators.get(est.pair).bias == "none"


def test_the_facts_of_one_estimator():
    est = estimators.get("fd_ssm")
    assert (est.bias, est.step, est.bias_order, est.pair, est.target) == ("vanishing", "eps", 2, "ssm", "sm")
    assert est.stochastic and not est.exact and est.supports(2) and not est.supports(3)
    assert est.options["law"] == "sphere" and est.options["eps"] is None
    assert "generator" not in est.options and "order" not in est.options
    assert estimators.get("sm_exact").exact and estimators.get("nested_reverse").supports(7)


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"name": "Bad"}, r"name of an estimator has to match .*; got 'Bad'"),
        ({"name": "ssm"}, "an estimator called 'ssm' is registered already, by estimators"),
        (
            {"quantity": "trace"},
            "quantity has to be one of directional, laplacian, score_matching, log_likelihood; got",
        ),
        ({"bias": "small"}, "bias has to be one of none, vanishing, fixed; got 'small'"),
        ({"needs": "graph"}, "needs has to be one of function, score"),
        ({"target": "sm"}, "target has to be one of exact, smoothed, none; got 'sm'"),
        ({"bias": "vanishing"}, "a vanishing bias, and only that, declares step and bias_order"),
        ({"step": "eps", "bias_order": 2}, "a vanishing bias, and only that, declares step"),
        ({"bias": "vanishing", "step": "ep", "bias_order": 2}, r"step 'ep' is none of its options; did you mean 'eps'"),
        ({"orders": (3,)}, "orders of a laplacian have to be even numbers"),
    ],
)
def test_a_wrong_fact_is_refused(facts, message):
    facts = {"name": "fresh", "quantity": "laplacian", **facts}
    name = facts.pop("name")
    with pytest.raises(ValueError, match=message):

        @estimators.register(name, **facts)
        def fresh(f, x, *, order, eps=0.1): ...


def test_an_option_without_a_default_is_refused():
    with pytest.raises(ValueError, match="option 'probes' of fresh has no default"):

        @estimators.register("fresh", quantity="laplacian")
        def fresh(f, x, *, order, probes): ...


def test_a_plugin_file_registers_and_says_where_it_came_from(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(textwrap.dedent(PLUGIN.format(name="my_trace")))
    assert estimators.load_file(path) == ("my_trace",)
    est = estimators.get("my_trace")
    assert est.origin == str(path) and est.stochastic and est.tags == ("mine",)
    assert est.formula == "Δf(x) ≈ something."
    assert estimators.load_file(path) == ("my_trace",)  # twice is once


def test_a_plugin_that_raises_leaves_nothing_behind(tmp_path):
    path = tmp_path / "broken.py"
    path.write_text(textwrap.dedent(PLUGIN.format(name="half_done")) + "\nraise RuntimeError('boom')\n")
    with pytest.raises(RuntimeError, match="boom"):
        estimators.load_file(path)
    assert "half_done" not in estimators.names()
    with pytest.raises(FileNotFoundError, match="no plugin file"):
        estimators.load_file(tmp_path / "absent.py")


def test_an_entry_point_registers_under_its_distribution(monkeypatch):
    class Point:
        value = "third.party"
        dist = type("Distribution", (), {"name": "third-party"})

        def load(self):
            @estimators.register("third_party_trace", quantity="laplacian")
            def third_party_trace(f, x, *, order): ...

    asked = []
    monkeypatch.setattr(registry, "_entry_points_loaded", False)
    monkeypatch.setattr(registry, "entry_points", lambda group: asked.append(group) or [Point()])
    assert estimators.get("third_party_trace").origin == "third-party"
    estimators.names()
    assert asked == ["estimators"]  # asked once

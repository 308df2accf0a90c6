"""Training runs in the report: bands over seeds, censored times, a page that stays escaped, a figure for print."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bench.claims import claims
from bench.store import Store
from bench.train.sweep import load, shipped
from reports.__main__ import run
from reports.figures import training as figure
from reports.figures import training_noise as noise
from reports.frames import training as frames
from reports.frames.families import OTHERS, coinciding, families
from reports.pages.build import EmptyStoreError, build
from reports.pages.training import training_page
from reports.palette import marks, marks_apart

FALLS = {"ssm": (0.0, -8.0, -10.0), "dsm": (0.0, -1.0, -2.0)}


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """Two estimators and three seeds, a third estimator that ended in NaN; ssm's seed 2 is slow, and 1 lower a step."""
    path = tmp_path_factory.mktemp("training") / "t.sqlite"
    with Store(path) as store:
        for estimator in (*FALLS, "fd_ssm"):
            for seed in range(3):
                bad = estimator == "fd_ssm"
                key = f"{estimator}{seed}"
                row = {"key": key, "estimator": estimator, "options": {}, "seed": seed, "contest": f"c{seed}"}
                row |= {"problem": "p", "title": "a <b>title</b>", "model": "mlp", "data": "digits", "machine": "m"}
                row |= {"finished": True, "outcome": "nonfinite" if bad else "ok", "reason": "NaN" if bad else ""}
                row |= {"optimiser": "Adam", "optimiser_options": {"lr": 0.001}, "started_at": f"2026-01-0{seed + 1}"}
                for place, objective in enumerate(FALLS.get(estimator, (0.0, None))):
                    time = place * (2.0 if seed == 2 else 1.0)
                    value = None if objective is None else objective - (seed if estimator == "ssm" and place else 0)
                    noise = 0.0 if estimator == "dsm" else 0.5 + seed  # dsm stands for a deterministic one
                    point = {"place": place, "steps": 10 * place, "train_s": time, "objective": value}
                    point |= {"grad_std": noise, "minibatch_std": 0.2, "evaluations": 40.0 * place}
                    store.put_training(row, point)
        store.put_training({"key": "begun", "estimator": "ssm", "options": {}, "contest": "c9", "machine": "m"})
    return path


@pytest.fixture(scope="module")
def frame(path):
    return frames.load(path)


def test_bands_are_the_median_and_the_range_of_the_seeds_that_ended_well(frame):
    assert set(frame["key"]) == {f"{e}{s}" for e in ("ssm", "dsm", "fd_ssm") for s in range(3)}
    found = frames.curves(frame, "steps")
    ssm = found[found["label"] == "ssm"]
    assert ssm[["x", "y", "y_low", "y_high", "seeds"]].to_numpy().tolist() == [
        [0.0, 0.0, 0.0, 0.0, 3.0],
        [10.0, -9.0, -10.0, -8.0, 3.0],
        [20.0, -11.0, -12.0, -10.0, 3.0],
    ]
    assert set(found["label"]) == {"ssm", "dsm"}
    in_seconds = frames.curves(frame, "train_s")
    ssm = in_seconds[in_seconds["label"] == "ssm"]  # up to 2 s, where seed 2, at -10 after 2 s, has made one step
    assert ssm["x"].tolist() == [0.0, 1.0, 2.0]
    assert ssm["y_high"].tolist() == [0.0, -5.0, -10.0] and ssm["y_low"].tolist() == [0.0, -9.0, -11.0]


def test_times_to_a_target_by_hand(frame):
    assert frames.levels(frame) == {0.5: -5.5, 0.9: pytest.approx(-9.9)}
    lines = {line.label: line for line in frames.table(frame)}
    assert list(lines) == ["ssm", "dsm", "fd_ssm"]
    # Seed 0 falls from -8 to -10 in its second step, seed 1 from -9 to -11, seed 2 from 0 to -10 in its first.
    steps = lines["ssm"].targets[0.9]["steps"]
    assert (steps.reached, steps.median) == (3, pytest.approx(14.5)) and steps.low == pytest.approx(9.9)
    seconds = lines["ssm"].targets[0.9]["train_s"]
    evaluations = lines["ssm"].targets[0.9]["evaluations"]
    assert (evaluations.reached, evaluations.median, evaluations.low) == (3, pytest.approx(58.0), pytest.approx(39.6))
    assert lines["dsm"].targets[0.9]["evaluations"].reached == 0
    unknown = frame.assign(evaluations=frame["evaluations"].where(frame["estimator"] != "ssm"))
    assert next(iter(frames.table(unknown))).targets[0.9]["evaluations"] is None
    assert seconds.median == pytest.approx(1.95) and seconds.low == pytest.approx(1.45)  # 1.45, 1.95, 1.98
    for label in ("dsm", "fd_ssm"):
        never = lines[label].targets[0.5]["steps"]
        assert (never.reached, never.median, never.runs) == (0, math.inf, 3)
    assert lines["fd_ssm"].outcomes == "3 nonfinite" and math.isnan(lines["fd_ssm"].final[0])


def test_first_crossing():
    x, y = np.array([0.0, 1.0, 3.0]), np.array([4.0, 2.0, 1.0])
    assert frames.first_crossing(x, y, 5.0) == 0.0
    assert frames.first_crossing(x, y, 3.0) == 0.5 and frames.first_crossing(x, y, 1.5) == 2.0
    assert frames.first_crossing(x, y, 0.5) is None and frames.first_crossing(x, np.full(3, np.nan), 0.5) is None


def test_both_renderers_draw_the_same_rows_and_the_page_is_escaped(frame, path, tmp_path):
    page = training_page(frame)
    about = json.loads(re.search(r'id="training-about">(.*?)</script>', page, re.S)[1])
    view = about["views"]["training_0_steps_0"]
    assert [point["y"] for point in view["points"]] == figure.data(frame, "steps")["y"].tolist()
    assert "<b>title" not in page and "&lt;b&gt;title" in page and "3 nonfinite" in page
    drawn = figure.on_paper(frame, noise.marks_of(frame))
    lines = {tuple(line.get_ydata()) for line in drawn.axes[0].get_lines()}
    assert lines == {(0.0, -9.0, -11.0), (0.0, -1.0, -2.0)}
    assert run(["figure", "training", "--store", str(path), "--out", str(tmp_path / "t.svg")]) == 0
    assert "Exact objective" in (tmp_path / "t.svg").read_text()


def test_a_store_of_training_runs_alone_has_their_page_and_an_empty_one_is_refused(path, frame, tmp_path):
    from reports.frames.rows import from_rows

    index = build(from_rows([]), tmp_path, training=frame)
    assert index.name == "training.html" and 'href="index.html"' not in index.read_text()
    with pytest.raises(EmptyStoreError):
        build(from_rows([]), tmp_path / "none")
    assert "No training run has ended yet" in training_page(frames.nothing())
    assert figure.on_paper(frames.nothing(), {}).axes


def test_noise_over_training_is_that_of_noisy_estimators_and_of_batches(frame, path, tmp_path):
    found = noise.data(frame)
    assert set(found["label"]) == {"ssm", noise.MINIBATCH}  # what is zero has no place on a logarithm
    ssm = found[found["label"] == "ssm"]
    assert ssm[["y", "y_low", "y_high"]].drop_duplicates().to_numpy().tolist() == [[1.5, 0.5, 2.5]]
    low, high = noise.settings(frame)["settings"]["y_domain"]
    assert low < 0.2 and high > 2.5
    assert run(["figure", "training_noise", "--store", str(path), "--out", str(tmp_path / "n.svg")]) == 0
    written = (tmp_path / "n.svg").read_text()
    assert "minibatch" in written and "mathdefault" not in written and noise.on_paper(frames.nothing(), {}).axes


def test_more_lines_than_a_figure_holds_are_drawn_by_families_on_the_same_axes(frame):
    """Seven labels: three that draw at random, two that do not, two with another target."""
    parts = [("a", "sm", 0.5), ("b", "sm", 0.5), ("c", "sm", 1.0), ("d", "sm", 0.0), ("e", None, 0.0)]
    parts += [("f", "dsm", 0.5), ("g", "dsm", 0.0)]
    one = frame[frame["label"] == "ssm"]
    many = pd.concat(
        one.assign(label=name, key=name + one["key"], target=target, grad_std=noise, objective=one["objective"] + shift)
        for (name, target, noise), shift in zip(parts, (0.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0), strict=True)
    )
    many = many.assign(
        grad_std=many["grad_std"].where((many["label"] != "b") | (many["place"] > 0), 0.0)
    )  # begins still
    groups = families(many)
    assert groups == {"Random directions": ["a", "b", "c"], "Denoising": ["f", "g"], "Deterministic": ["d", "e"]}
    assert families(many[many["label"].isin(list("abcde"))]) == {"": list("abcde")}
    whole, part = figure.settings(many, "steps"), figure.settings(many, "steps", groups["Denoising"])
    assert part["settings"]["y_domain"] == whole["settings"]["y_domain"]
    assert part["settings"]["x_domain"] == whole["settings"]["x_domain"]
    drawn = pd.DataFrame(part["points"])
    assert set(drawn.loc[drawn["estimator"] == OTHERS, "label"]) == set("abcde") and len(drawn) == len(whole["points"])
    pale = drawn[drawn["estimator"] == OTHERS]
    assert (pale["y_low"] == pale["y"]).all() and (pale["y_high"] == pale["y"]).all()
    assert "a" not in part["alt"].partition("at the end: ")[2] and "f -7" in part["alt"]
    assert whole["told"] == ["a and b lie on each other."] and part["told"] == []
    assert coinciding(figure.data(many.assign(steps=many["steps"] * (1 + (many["label"] == "b"))), "steps")) == []
    page = training_page(many)
    assert all(f'data-figure="training_0_{axis}_{n}"' in page for axis in ("steps", "train_s") for n in range(3))
    rows = figure.on_paper(many, noise.marks_of(many)).axes
    assert len(rows) == 6 and {len(axes.get_lines()) for axes in rows} == {7}


def test_the_noise_of_batches_goes_as_far_as_the_longest_run(frame):
    short = frame[(frame["label"] != "dsm") | (frame["place"] < 2)]
    shared = noise.data(short)
    assert shared.loc[shared["label"] == noise.MINIBATCH, "x"].max() == 20.0


def test_a_run_that_rose_does_not_hide_the_others(frame):
    wild = frame.copy()
    wild.loc[(wild["key"] == "ssm1") & (wild["place"] == 2), "objective"] = 1e6
    low, high = figure.settings(wild, "steps")["settings"]["y_domain"]
    assert low < -10 and high < 5


def test_problems_that_differ_in_a_width_or_a_budget_alone_have_names_of_their_own(frame):
    wide = frame.assign(problem="q", key="q" + frame["key"], width=128, budget_steps=600.0)
    narrow = frame.assign(width=64, budget_steps=math.nan, budget_s=3.0)
    name = "mlp on digits, D = None, depth None, batch None, Adam lr 0.001"
    found = frames.names(pd.concat([narrow, wide]))
    assert found == {"p": f"{name}, width 64, 3 s", "q": f"{name}, width 128, 600 steps"}
    assert frames.names(narrow) == {"p": name}


def test_labels_of_one_estimator_are_told_apart_by_colour():
    owners = {"dsm (σ=1)": "dsm", "dsm (σ=2)": "dsm", "dsm_cv": "dsm_cv", "sm_forward": "sm_forward", "ssm": "ssm"}
    found = marks_apart([["dsm (σ=1)", "dsm (σ=2)", "ssm"], ["dsm_cv", "sm_forward", "ssm"]], owners)
    assert len({found[name].colour for name in ("dsm (σ=1)", "dsm (σ=2)", "ssm")}) == 3
    assert len({found[name].colour for name in ("dsm_cv", "sm_forward", "ssm")}) == 3
    assert found["ssm"] == marks(["ssm"])["ssm"]


def test_no_two_lines_of_a_figure_share_a_colour_whatever_else_was_trained():
    """The runs of all shipped sweeps and claims in one store: up to seven lines a problem, and the minibatch's."""
    every = {name: load(name).trainings for name in shipped()}
    every |= {claim.name: claim.runs() for claim in claims().values()}
    groups, owners = {}, {"minibatch": "minibatch"}
    for name, trainings in every.items():
        for point in (training.point for training in trainings):
            label = f"{point.estimator} {sorted(point.options.items())}"
            owners[label] = point.estimator
            groups.setdefault((name, replace(point.problem, seed=0)), {"minibatch"}).add(label)
    found = marks_apart(groups.values(), owners)
    assert len(owners) > 20
    for labels in groups.values():
        assert len({found[label].colour for label in labels}) == len(labels) <= 8

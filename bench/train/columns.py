"""The columns of training runs and of their evaluations: one row a run, one row an evaluation, units in the names."""

from __future__ import annotations

from bench.columns import COLUMNS, Column, group

IDENTITY = tuple(column for column in COLUMNS if column.group == "identity")
PROVENANCE = tuple(column for column in COLUMNS if column.group == "provenance" and column.name != "key")

RUNS: tuple[Column, ...] = (
    *group("identity", ("key", str, "hash of everything that defines the run")),
    *IDENTITY,
    *group(
        "training",
        ("contest", str, "hash of what runs share that are held against each other: all but the estimator"),
        ("problem", str, "hash of the same without the seed: runs of one problem make one curve with its band"),
        ("optimiser", str, "a name in torch.optim"),
        ("optimiser_options", dict, "what the optimiser was given, as JSON"),
        ("budget_steps", int, "how many steps it may train, where the budget is in steps"),
        ("budget_s", float, "how many seconds it may train, where the budget is in seconds"),
        ("rows", int, "rows in the training set"),
        ("held_out", int, "rows in the held-out set, on which the objective is taken"),
        ("marks", int, "how many evaluations after the one before the first step"),
        ("score_points", int, "points at which the score is held against the true one"),
    ),
    *group(
        "cost",
        ("parameters", int, "how many numbers are trained"),
        ("peak_step_bytes", int, "allocator peak of one training step above the level before it"),
        ("flops_step", int, "floating-point operations of one training step"),
        ("flops_evaluation", int, "floating-point operations of one evaluation of the model on a batch"),
        ("steps", int, "steps made"),
        ("train_s", float, "seconds spent in steps, evaluations left out"),
    ),
    *group("outcome", ("outcome", str, "how it ended"), ("reason", str, "why, where it is not ok")),
    *group("provenance", ("title", str, "the sweep it was part of")),
    *PROVENANCE,
    *group(
        "store",
        ("finished", bool, "whether it has ended"),
        ("extra", dict, "what has no column of its own, as JSON"),
        ("output", str, "what the worker printed"),
    ),
)

POINTS: tuple[Column, ...] = group(
    "evaluation",
    ("key", str, "of the run"),
    ("place", int, "0 before the first step, then one by one"),
    ("steps", int, "steps made so far"),
    ("train_s", float, "seconds spent in steps so far, evaluations left out"),
    ("evaluations", float, "steps so far, in evaluations of the model on a batch with as many operations"),
    ("objective", float, "the exact score-matching objective in float64, mean over the held-out rows"),
    ("objective_error", float, "its standard error over those rows"),
    ("nll", float, "exact mean of -log p over the held-out rows in float64, of normalised models"),
    ("grad_norm", float, "norm of the exact gradient of the objective on a batch of the training set"),
    ("grad_std", float, "std of one draw of the estimator's gradient on that batch, relative to the norm"),
    ("minibatch_std", float, "std of the exact gradient over batches of that size, relative to the norm"),
    ("score_l2", float, "root mean square of the score's error at points of the true density, where it is known"),
    ("score_median", float, "median of the score's error"),
    ("score_q90", float, "0.9-quantile of the score's error"),
    ("score_q99", float, "0.99-quantile of the score's error, from 10 000 points on"),
    ("score_q999", float, "0.999-quantile of the score's error, from 100 000 points on"),
    ("extra", dict, "what has no column of its own, as JSON"),
)

RUN_TYPES: dict[str, type] = {column.name: column.type for column in RUNS}
POINT_TYPES: dict[str, type] = {column.name: column.type for column in POINTS}

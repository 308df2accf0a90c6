"""The columns of a row: one row per point, units in the names. Store, export and report all read them here."""

from __future__ import annotations

from dataclasses import dataclass

OUTCOMES = (
    "ok",
    "nonfinite",
    "unsupported",
    "error",
    "timeout",
    "out_of_memory",
    "crashed",
    "skipped",
)


@dataclass(frozen=True)
class Column:
    """One column: its name, its Python type (``dict`` and ``list`` are stored as JSON), and what it says."""

    name: str
    type: type
    group: str
    meaning: str


def group(group: str, *columns: tuple[str, type, str]) -> tuple[Column, ...]:
    """The columns of one group."""
    return tuple(Column(name, type_, group, meaning) for name, type_, meaning in columns)


COLUMNS: tuple[Column, ...] = (
    *group(
        "identity",
        ("quantity", str, "what is estimated: directional, laplacian, score_matching or log_likelihood"),
        ("estimator", str, "the estimator's name in the registry"),
        ("options", dict, "the estimator's options, all of them, as JSON"),
        ("target", str, "what the estimator converges to"),
        ("model", str, "the model family"),
        ("data", str, "the data set"),
        ("dim", int, "D, the input dimension"),
        ("depth", int, "how many hidden layers"),
        ("order", int, "T, the derivative order"),
        ("width", int, "units in a hidden layer"),
        ("activation", str, "the pointwise nonlinearity"),
        ("residual", bool, "whether hidden layers have a skip connection"),
        ("stage", str, "init, or trained by a fixed number of exact score-matching steps"),
        ("batch", int, "B, rows in a batch"),
        ("probes", int, "M, the estimator's probes option, where it has one"),
        ("dtype", str, "floating-point type of model and data"),
        ("device", str, "where it ran"),
        ("threads", int, "threads torch was given"),
        ("seed", int, "the problem's seed"),
    ),
    *group(
        "cost",
        ("time_value_s", float, "median seconds of one call without gradient"),
        ("time_step_s", float, "median seconds of one call and its gradient in the parameters"),
        ("time_step_low_s", float, "lower end of its 95 % interval"),
        ("time_step_high_s", float, "upper end of its 95 % interval"),
        ("time_samples", list, "the block medians behind it, seconds, one per round"),
        ("time_ratio", float, "step time over the anchor's, the median of the rounds' ratios"),
        ("round_group", str, "which window of interleaved rounds it was timed in"),
        ("first_call_s", float, "seconds of the first call in its process, compilation included"),
        ("peak_value_bytes", int, "peak of the allocator above the baseline before a call without gradient"),
        ("peak_step_bytes", int, "the same with the gradient in the parameters"),
        ("predicted_peak_bytes", int, "the step's peak predicted on fake tensors, without arithmetic"),
        ("rss_peak_bytes", int, "peak resident memory of the process above its baseline"),
        ("gpu_process_bytes", int, "the process's device memory as NVML sees it"),
        ("energy_j", float, "joules of one step, from NVML"),
        ("flops_value", int, "floating-point operations of one call without gradient"),
        ("flops_step", int, "the same with the gradient"),
        ("matmul_fraction", float, "fraction of this machine's own matmul rate that the step reached"),
    ),
    *group(
        "accuracy",
        ("reference", str, "what the row was held against"),
        ("grad_bias", float, "relative bias of the parameter gradient, noise-corrected"),
        ("grad_bias_low", float, "lower end of its 95 % interval; 0 where it is not resolved"),
        ("grad_bias_high", float, "upper end; the detection limit where it is not resolved"),
        ("bias_resolved", bool, "whether the interval excludes zero"),
        (
            "bias_route",
            str,
            "direct, paired (difference from an unbiased estimator on the same probes) or deterministic",
        ),
        ("grad_std", float, "relative standard deviation of one draw of the gradient"),
        ("grad_rmse", float, "relative root-mean-square error of one draw of the gradient"),
        ("grad_cosine", float, "mean cosine between one draw of the gradient and the exact one"),
        ("grad_rounding", float, "relative difference between the same draw in the row's dtype and in float64"),
        ("value_bias", float, "relative bias of the per-row values, noise-corrected"),
        ("value_std", float, "relative standard deviation of one draw of the per-row values"),
        (
            "draws",
            int,
            "how many draws the accuracy rests on, those asked for; 1 of a deterministic estimator, or 64 with a fresh "
            "noise on the rows each where it is held against noised ones (kinks)",
        ),
        ("minibatch_std", float, "relative standard deviation of the exact gradient over minibatches of this size"),
    ),
    *group(
        "outcome",
        ("outcome", str, "exactly one of " + ", ".join(OUTCOMES)),
        ("reason", str, "why, where it is not ok; what is missing, where it is"),
    ),
    *group(
        "provenance",
        ("key", str, "hash of everything that defines the point"),
        ("commit", str, "git commit of the estimators measured, with + where files differ from it"),
        ("estimator_source", str, "token hash of the estimator's import closure"),
        ("method_version", str, "version of the way of measuring"),
        ("machine", str, "fingerprint of the machine, as JSON"),
        ("torch_version", str, "version of torch"),
        ("started_at", str, "when the measurement began, UTC, ISO 8601"),
        ("duration_s", float, "seconds the point took, timing included"),
    ),
    *group(
        "equilibrium",
        ("fixed_point_residual", float, "least relative change of z that an application of the layer made, worst row"),
        ("solver_applications", int, "applications of the equilibrium layer outside of what is differentiated"),
    ),
)

NAMES: tuple[str, ...] = tuple(column.name for column in COLUMNS)

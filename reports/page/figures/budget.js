// Error at a budget: rmse(t) = sqrt(bias² + (minibatch² + std²) t₁/t).
const CURVE_SAMPLES = 40, MOST_CURVES = 40;

function budget(report, view) {
  const c = report.data.columns;
  const fixed = view.batches === "fixed";
  const fine = report.selection.rows(view).filter((i) => c.ok[i] && c.time_step_s[i] > 0 && c.bias_sure[i] !== null);
  const rows = fine.length > MOST_CURVES ? [...fine].sort((a, b) => c.rmse[a] - c.rmse[b]).slice(0, MOST_CURVES) : fine;
  const points = [], table = [];
  if (!rows.length) return { points };
  const longest = 1e3 * Math.max(...rows.map((i) => c.time_step_s[i]));
  for (const i of rows) {
    const first = c.time_step_s[i], noise = (c.grad_std[i] ?? 0) ** 2 + (fixed ? 0 : (c.minibatch_std[i] ?? 0) ** 2);
    for (let k = 0; k < CURVE_SAMPLES; k++) {
      const x = first * (longest / first) ** (k / (CURVE_SAMPLES - 1));
      const y = Math.max(Math.hypot(c.bias_sure[i], Math.sqrt((noise * first) / x)), LEAST_ERROR / 3);
      points.push({ row: i, estimator: c.estimator[i], label: c.label[i], series: `${c.label[i]} ${c.cell[i]} ${i}`, x, y, rank: k, start: k === 0, text: k === 0 ? c.option_text[i] : "" });
    }
    table.push({ estimator: c.estimator[i], label: c.label[i], step_s: first, bias: c.bias_sure[i], std: c.grad_std[i], minibatch_std: c.minibatch_std[i] });
  }
  const x = logDomain(points.map((p) => p.x), 1.2), y = logDomain(points.map((p) => p.y), 1.2);
  placeLabels(points.filter((p) => p.start), { x, y, width: plotWidth(), height: 340 });
  return {
    points, table,
    told: fine.length > MOST_CURVES ? [`The ${MOST_CURVES} curves with the least error of one step are drawn, of ${fine.length}.`] : [],
    settings: { x_title: "Compute budget", y_title: "Gradient error, RMSE (relative)", x_unit: "s", y_unit: "error", x_domain: x, y_domain: y, x_ticks: logTicks(x), y_ticks: logTicks(y) },
    alt: `Gradient error against compute budget for ${rows.length} estimators with their options.`,
  };
}

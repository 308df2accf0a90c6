// Bias against the finite step, for every precision measured.
function stepSize(report, view) {
  const c = report.data.columns;
  const points = [];
  for (const i of report.selection.rows(view, ["dtype"])) {
    if (!c.ok[i] || !(c.step_value[i] > 0) || c.grad_bias[i] === null) continue;
    const open = c.bias_resolved[i] === false;
    const y = (open ? c.grad_bias_high[i] : c.grad_bias[i]) || c.error_floor[i];
    const x = c.step_value[i] / (view.step === "scaled" ? Math.sqrt(c.dim[i]) : 1);
    points.push({
      row: i, estimator: c.estimator[i], label: c.label[i], series: `${c.series[i]}, ${c.dtype[i]}, ${c.cell[i]}`, x, x_low: x, x_high: x, y,
      y_low: c.grad_bias_low[i] ?? y, y_high: c.grad_bias_high[i] ?? y, open, failed: false, text: "",
    });
  }
  if (new Set(points.map((p) => p.x)).size < 2) return { points: [], nothing: "No finite step was swept in this selection; the sweep step_size does." };
  points.sort((a, b) => a.x - b.x).forEach((point, rank) => { point.rank = rank; });
  const groups = new Map();
  for (const point of points) groups.set(point.series, [...(groups.get(point.series) ?? []), point]);
  const several = new Set(points.map((p) => c.dtype[p.row])).size > 1;
  const found = [];
  for (const [series, group] of groups) {
    const best = group.reduce((a, b) => (b.y < a.y ? b : a)), at = group.indexOf(best);
    if (several) group.at(-1).text = String(c.dtype[best.row]);
    const known = view.step === "scaled" ? undefined : report.published_steps[best.estimator];
    const published = group.find((p) => Math.abs(p.x / known - 1) < 1e-6);
    found.push({ series, published, step: best.x, bias: best.y, open: best.open, below: slope(group.slice(0, at + 1)), above: slope(group.slice(at)) });
  }
  const x = logDomain(points.map((p) => p.x), 1.5), y = logDomain(points.flatMap((p) => [p.y, p.y_high, p.open ? p.y : p.y_low]));
  for (const point of points) if (!(point.y_low > 0)) point.y_low = y[0];
  placeLabels(points, { x, y, width: plotWidth(), height: 340 });
  const told = found.slice(0, 12).map((f) => `${f.series}: least bias ${f.open ? "below " : ""}${percent(f.bias)} at ${digits(f.step)}${f.published ? `, ${f.published.open ? "below " : ""}${percent(f.published.y)} at the published ${digits(f.published.x)}` : ""}${f.below !== null ? `, slope ${digits(f.below, 2)} below it` : ""}${f.above !== null ? `, ${digits(f.above, 2)} above` : ""}.`);
  return {
    points, told,
    settings: {
      x_title: view.step === "scaled" ? "Step ε / √D" : "Step ε", y_title: "Gradient bias (relative)", x_unit: "", y_unit: "error", x_domain: x,
      y_domain: y, x_ticks: logTicks(x), y_ticks: logTicks(y),
    },
    alt: `Gradient bias against step size. ${told.join(" ")}`.slice(0, 900),
  };
}

// Least-squares slope of log y against log x.
function slope(points) {
  if (points.length < 2) return null;
  const x = points.map((p) => Math.log(p.x)), y = points.map((p) => Math.log(p.y));
  const mx = x.reduce((a, b) => a + b) / x.length, my = y.reduce((a, b) => a + b) / y.length;
  const over = x.reduce((sum, v, k) => sum + (v - mx) * (y[k] - my), 0), under = x.reduce((sum, v) => sum + (v - mx) ** 2, 0);
  return under > 0 ? over / under : null;
}

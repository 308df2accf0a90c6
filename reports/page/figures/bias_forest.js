// One line for each point of the selection: its bias, the interval, and rounding.
const MOST_LINES_FOREST = 50;

function biasForest(report, view) {
  const c = report.data.columns;
  const rows = report.selection.rows(view).filter((i) => c.ok[i] && c.grad_bias[i] !== null);
  const cells = new Set(rows.map((i) => c.cell[i])).size;
  let points = rows.map((i) => {
    const open = c.bias_resolved[i] === false, x = (open ? c.grad_bias_high[i] : c.grad_bias[i]) || c.error_floor[i];
    return {
      row: i, estimator: c.estimator[i], label: c.label[i], line: shown(c.label[i], 40) + (cells > 1 ? `  ${c.cell[i]}` : ""), x,
      x_low: c.grad_bias_low[i] ?? x, x_high: c.grad_bias_high[i] ?? x, rounding: c.grad_rounding[i], declared: c.declared_bias[i], open,
    };
  });
  points.sort((a, b) => b.x - a.x);
  const all = points.length;
  points = points.slice(0, MOST_LINES_FOREST);
  points.forEach((point, place) => { point.place = place; });
  const x = logDomain(points.flatMap((p) => [p.x, p.x_high, p.open ? p.x / 30 : p.x_low, p.rounding]), 1.6);
  for (const point of points) if (!(point.x_low > 0)) point.x_low = x[0];
  const unbiased = points.filter((p) => p.declared === "none" && c.grad_std[p.row] > 0 && !onlyRounding(c, p.row));
  const resolved = unbiased.filter((p) => !p.open);
  const told = unbiased.length ? [`Of ${unbiased.length} points of estimators that are unbiased by construction, ${resolved.length} resolved a bias; about ${digits(0.025 * unbiased.length, 2)} would by chance alone.`] : [];
  if (all > points.length) told.push(`The ${points.length} largest of ${all} are drawn.`);
  return {
    points, told, height: 22 * points.length,
    settings: { x_title: "Gradient bias (relative)", x_unit: "error", x_domain: x, x_ticks: logTicks(x) },
    alt: `Bias of ${all} points, ${points.filter((p) => p.open).length} of those drawn not resolved. ${told.join(" ")}`,
  };
}

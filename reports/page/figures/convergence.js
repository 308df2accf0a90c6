// The error of the mean of the first k draws, as it was measured; the grey line falls as k^(-1/2).
function convergence(report, view) {
  const c = report.data.columns;
  const points = [], ends = [];
  for (const i of report.selection.rows(view)) {
    const steps = report.convergence[i] ?? [];
    steps.forEach(([x, y], rank) => {
      if (y > 0) points.push({ row: i, estimator: c.estimator[i], label: c.label[i], series: `${c.label[i]} ${c.cell[i]} ${i}`, x, x_low: x, x_high: x, y, y_low: y, y_high: y, rank, open: false, failed: false, text: "" });
    });
    if (steps.length) { points.at(-1).text = c.option_text[i]; ends.push(`${shown(c.label[i], 40)} ${percent(steps.at(-1)[1])}`); }
  }
  if (!points.length) return { points, nothing: "No row of this selection holds the errors of its first draws (deterministic estimators, or a store from before they were kept)." };
  const x = logDomain(points.map((p) => p.x), 1.25), y = logDomain(points.map((p) => p.y));
  const most = Math.max(...points.map((p) => p.y)), left = Math.min(...points.map((p) => p.x)), right = Math.max(...points.map((p) => p.x));
  x[1] *= (x[1] / x[0]) ** 0.06;
  placeLabels(points, { x, y, width: plotWidth(), height: 380 });
  return {
    points, guides: [{ kind: "front", x: left, y: most, rank: 0 }, { kind: "front", x: right, y: most * Math.sqrt(left / right), rank: 1 }],
    settings: {
      x_title: "Draws averaged", y_title: "Error of the mean gradient (relative)", x_unit: "", y_unit: "error", x_domain: x, y_domain: y,
      x_ticks: sizeTicks(points.map((p) => p.x), x, 12), y_ticks: logTicks(y),
    },
    alt: `Error of the mean gradient against draws. After all of them: ${ends.slice(0, 12).join(", ")}.`.slice(0, 900),
  };
}

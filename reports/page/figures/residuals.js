// Measured step time over the fitted law's, at every size of the setting that the filters choose.
function residuals(report, view) {
  const c = report.data.columns, group = fitGroup(report, view);
  const laws = new Map((group?.fits ?? []).map((fit) => [`${fit.label} ${fit.order}`, fit]));
  const points = [];
  for (const i of report.selection.rows(view, ["dim", "depth"])) {
    const fit = laws.get(`${c.label[i]} ${c.order[i]}`);
    if (!fit || !measured(c, i) || points.length >= 4000) continue;
    const law = law_value(fit.time, c.dim[i], c.depth[i]), x = c.dim[i];
    points.push({
      row: i, estimator: c.estimator[i], label: c.label[i], series: c.label[i], depth: c.depth[i], x, x_low: x, x_high: x, y: c.time_step_s[i] / law,
      y_low: (c.time_step_low_s[i] ?? c.time_step_s[i]) / law, y_high: (c.time_step_high_s[i] ?? c.time_step_s[i]) / law, open: false, failed: false, text: "",
    });
  }
  if (!points.length) return { points, nothing: "No estimator was measured at two sizes or more in this selection." };
  const x = logDomain(points.map((p) => p.x), 1.25), y = logDomain([0.8, 1.25, ...points.flatMap((p) => [p.y, p.y_low, p.y_high])], 1.1);
  const off = points.map((p) => Math.abs(Math.log(p.y))).sort((a, b) => a - b);
  return {
    points, height: 240, guides: [{ kind: "floor", y: 1, text: "the fitted law" }],
    told: [`Measured and fitted step times differ by ${percent(Math.expm1(off[off.length >> 1]))} in the median of ${points.length} points, ${percent(Math.expm1(off.at(-1)))} at most.`],
    settings: {
      x_title: SIZES.dim, y_title: "Step time, measured over fitted", x_unit: "", y_unit: "", x_domain: x, y_domain: y,
      x_ticks: sizeTicks(points.map((p) => p.x), x), y_ticks: [0.1, 0.2, 0.5, 0.8, 0.9, 1, 1.1, 1.25, 2, 5, 10].filter((tick) => tick >= y[0] && tick <= y[1]),
    },
    alt: `Step time over the fitted law's for ${points.length} points.`,
  };
}

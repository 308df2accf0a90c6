// Peak memory against the dimension: measured, or open where it was predicted only; the wall of a chosen device.
function memoryFigure(report, view) {
  const c = report.data.columns;
  const groups = new Map(), off = [];
  let withdrawn = 0;
  for (const i of report.selection.rows(view, ["dim"])) {
    const measured = c.peak_step_bytes[i], predicted = c.predicted_peak_bytes[i], y = measured ?? predicted;
    if (measured > 0 && predicted > 0) off.push(Math.abs(Math.log(measured / predicted)));
    withdrawn += c.prediction_withdrawn[i];
    if (!(y > 0) || !(c.dim[i] > 0)) continue;
    const key = JSON.stringify([c.label[i], c.dim[i]]), before = groups.get(key);
    if (before && before.y >= y) continue;
    groups.set(key, {
      row: i, estimator: c.estimator[i], label: c.label[i], series: c.label[i], x: c.dim[i], x_low: c.dim[i], x_high: c.dim[i],
      y, y_low: y, y_high: y, predicted, open: !(measured > 0), failed: false, text: "",
    });
  }
  const points = [...groups.values()].sort((a, b) => a.x - b.x);
  points.forEach((point, rank) => { point.rank = rank; });
  const wall = Number(view.wall) * 1e9, guides = wall ? [{ kind: "floor", y: wall, text: `${view.wall} GB` }] : [];
  const x = logDomain(points.map((p) => p.x), 1.25), y = logDomain([...points.map((p) => p.y), ...(wall ? [wall] : [])]);
  for (const point of new Map(points.map((p) => [p.series, p])).values()) point.text = c.option_text[point.row];
  x[1] *= (x[1] / x[0]) ** 0.06;
  placeLabels(points, { x, y, width: plotWidth(), height: 340 });
  off.sort((a, b) => a - b);
  const without = withdrawn ? ` ${withdrawn} of ${off.length + withdrawn} predictions were withdrawn, because the measurement contradicts them, and are not among these.` : "";
  return {
    points, guides,
    told: [
      ...(off.length ? [`Prediction and measurement differ by ${percent(Math.expm1(off[off.length >> 1]))} in the median of ${off.length} points, ${percent(Math.expm1(off.at(-1)))} at most.${without}`] : withdrawn ? [`All ${withdrawn} predictions were withdrawn, because the measurement contradicts them.`] : []),
      ...(wall ? walls(report, view, wall) : []),
    ],
    settings: { x_title: "Dimension D", y_title: "Peak memory of a step", x_unit: "", y_unit: "B", x_domain: x, y_domain: y, x_ticks: sizeTicks(points.map((p) => p.x), x), y_ticks: logTicks(y) },
    alt: `Peak memory against the dimension: ${points.length} points, ${points.filter((p) => p.open).length} of them predicted.`,
  };
}

// Where the fitted laws say that each estimator meets the wall.
function walls(report, view, wall) {
  const group = fitGroup(report, view), told = [];
  if (!group || view.depth === ALL) return told;
  const depth = Number(view.depth ?? group.fits[0]?.time.depths[0]);
  for (const fit of group.fits) {
    if (!fit.memory || (view.order !== undefined && view.order !== ALL && String(fit.order) !== view.order)) continue;
    let low = 1, high = 1e9;
    if (law_value(fit.memory, high, depth) < wall) continue;
    for (let k = 0; k < 60; k++) { const middle = Math.sqrt(low * high); if (law_value(fit.memory, middle, depth) < wall) low = middle; else high = middle; }
    told.push([low, `${shown(fit.label, 40)} from D ≈ ${digits(low, 2)}`]);
  }
  if (!told.length) return [];
  const nearest = told.sort((a, b) => a[0] - b[0]).slice(0, 8).map(([, text]) => text);
  return [`By the fitted laws ${bytes(wall)} is reached at depth ${depth} by ${nearest.join(", ")}. These are extrapolations beyond the largest measured D.`];
}

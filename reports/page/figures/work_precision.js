// Gradient error against cost: the rows of the selected slice.
const ERRORS = {
  rmse: ["Gradient error, RMSE of one draw (relative)", "rmse_low", "rmse_high"],
  grad_bias: ["Gradient bias (relative)", "grad_bias_low", "grad_bias_high"],
  grad_std: ["Gradient std of one draw (relative)", "std_low", "std_high"],
};
const COSTS = {
  time_step_s: ["Step time: value and parameter gradient", "s", "time_step_low_s", "time_step_high_s"],
  peak_step_bytes: ["Peak memory of a step", "B", "peak_step_bytes", "peak_step_bytes"],
  flops_step: ["Floating-point operations of a step", "FLOP", "flops_step", "flops_step"],
  energy_j: ["Energy of a step", "J", "energy_j", "energy_j"],
};
const costOf = (view) => (Object.hasOwn(COSTS, view.cost) ? view.cost : "time_step_s");
const MOST_LABELS = 36, MOST_NAMED = 12;

function workPrecision(report, view) {
  const c = report.data.columns;
  const error = Object.hasOwn(ERRORS, view.error) ? view.error : "rmse";
  const [errorTitle, yLow, yHigh] = ERRORS[error];
  const cost = costOf(view);
  const [costTitle, unit, xLow, xHigh] = COSTS[cost];
  const selected = report.selection.rows(view);
  const points = [], failed = [];
  for (const i of selected) {
    if (!c.ok[i]) { failed.push(i); continue; }
    const open = error === "grad_bias" && c.bias_resolved[i] === false;
    let y = open ? c[yHigh][i] : c[error][i];
    if (y === 0) y = error === "grad_std" ? null : c.error_floor[i];
    if (!(c[cost][i] > 0) || !(y > 0)) continue;
    points.push({
      row: i, estimator: c.estimator[i], label: c.label[i], series: `${c.series[i]} ${c.cell[i]}`,
      x: c[cost][i], x_low: c[xLow][i] ?? c[cost][i], x_high: c[xHigh][i] ?? c[cost][i],
      y, y_low: open ? 0 : c[yLow][i] ?? y, y_high: c[yHigh][i] ?? y, open, failed: false, outcome: "ok", text: "",
    });
  }
  merge(points);
  // A line joins settings in their own order (of ε, of probes), not in that of their noisy costs.
  const place = (p) => c.step_value[p.row] ?? c.probes[p.row] ?? 0;
  points.sort((a, b) => place(a) - place(b) || a.x - b.x).forEach((point, rank) => { point.rank = rank; });
  if (points.length <= MOST_LABELS) for (const point of points) point.text = points.length <= MOST_NAMED ? shown(point.label, 30) : c.option_text[point.row];
  const rounding = view.floor === "rounding" || error === "grad_bias";
  return finishErrorPlot(report, { points, failed, unit, costTitle, errorTitle, floors: error !== "grad_bias", rounding });
}

const MOST_FRONT = 400;
const LEAST_ERROR = 1e-4; // below it the axis is cut, unless it is asked for

// Beyond some hundred points, those of one label and size are merged: medians, and intervals that hold all of theirs.
function merge(points) {
  if (points.length <= MOST_FRONT) return;
  const groups = new Map();
  for (const point of points) {
    const key = `${point.label} ${point.series} ${point.open}`;
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(point);
  }
  const middle = (values) => values.sort((a, b) => a - b)[values.length >> 1];
  const ends = (group, name, pick) => group.reduce((end, p) => pick(end, p[name]), group[0][name]);
  points.length = 0;
  for (const group of groups.values()) {
    points.push({
      ...group[0], x: middle(group.map((p) => p.x)), y: middle(group.map((p) => p.y)), merged: group.length,
      x_low: ends(group, "x_low", Math.min), x_high: ends(group, "x_high", Math.max),
      y_low: ends(group, "y_low", Math.min), y_high: ends(group, "y_high", Math.max),
    });
  }
}

// Domains, failures at the right edge, the minibatch floor, and the sentence for those who cannot see the plot.
function finishErrorPlot(report, { points, failed, unit, costTitle, errorTitle, floors, rounding }) {
  const c = report.data.columns;
  const guides = [];
  const noise = new Set(points.map((point) => c.minibatch_std[point.row]).filter((v) => v > 0));
  if (floors && noise.size) {
    const values = [...noise].sort((a, b) => a - b);
    const y = values[values.length >> 1];
    guides.push({ kind: "floor", y, text: `minibatch noise of the exact gradient: ${percent(y)}` });
  }
  const roundings = points.map((p) => c.grad_rounding[p.row]).filter((v) => v > 0).sort((a, b) => a - b);
  if (rounding && roundings.length) {
    const y = roundings[roundings.length >> 1];
    guides.push({ kind: "floor", y, text: `rounding in ${[...new Set(points.map((p) => c.dtype[p.row]))].join(", ")}: ${percent(y)} in the median` });
  }
  const x = logDomain(points.flatMap((p) => [p.x, p.x_low, p.x_high]));
  const below = rounding ? [] : points.filter((p) => p.y < LEAST_ERROR);
  const seen = points.filter((p) => !below.includes(p));
  const y = logDomain([...seen.flatMap((p) => [p.y, p.y_low, p.y_high]), ...guides.map((g) => g.y)], 1.6);
  const true_y = new Map(points.map((p) => [p, [p.y, p.y_low, p.y_high]]));
  if (below.length) {
    const bottom = Math.max(y[0], LEAST_ERROR);
    y[0] = bottom / (y[1] / bottom) ** 0.16;
    guides.push({ kind: "bottom", y: bottom, text: `below ${percent(LEAST_ERROR)} (not to scale)` });
    for (const point of below) point.y = point.y_low = point.y_high = bottom * (y[0] / bottom) ** 0.66;
  }
  // Where the axis is cut, what lies below counts as equally exact: rounding does not put a point on the front.
  const cut = (value) => (rounding ? value : Math.max(value ?? 0, LEAST_ERROR));
  const exactly = points.map((p) => { const [told, low, high] = true_y.get(p); return { ...p, y: cut(told), y_low: cut(low), y_high: cut(high) }; });
  const shares = points.length <= MOST_FRONT ? frontShares(exactly) : [];
  points.forEach((point, k) => { point.front = shares[k]; });
  const front = onFront(exactly.map((p) => p.x), exactly.map((p) => p.y)).map((k) => points[k]);
  front.forEach((point, k) => {
    guides.push({ kind: "front", x: point.x, y: point.y, rank: 2 * k });
    if (front[k + 1]) guides.push({ kind: "front", x: front[k + 1].x, y: point.y, rank: 2 * k + 1 });
  });
  for (const point of points) if (!(point.y_low > 0)) point.y_low = y[0];
  const all = points.slice();
  if (failed.length) {
    const edge = x[1];
    x[1] = edge * (x[1] / x[0]) ** 0.22;
    guides.push({ kind: "edge", x: edge, text: "did not finish" });
    const most = 14;
    failed.slice(0, most).forEach((i, place) => {
      const height = (place + 1.4) / (Math.max(failed.length, most) + 2);
      const at = edge * (x[1] / edge) ** 0.14;
      const top = y[1] * (y[0] / y[1]) ** height;
      const more = place === most - 1 && failed.length > most ? ` and ${failed.length - most} more` : "";
      all.push({
        row: i, estimator: c.estimator[i], label: c.label[i], series: "", x: at, y: top, x_low: null, x_high: null, y_low: null,
        y_high: null, open: false, failed: true, outcome: c.outcome[i], text: c.outcome[i].replace(/_/g, " ") + more,
      });
    });
  }
  const table = all.map((p) => {
    const [told, low, high] = p.failed ? [null, null, null] : true_y.get(p);
    return { estimator: p.estimator, label: p.label, outcome: p.outcome, x: p.failed ? null : p.x, x_low: p.x_low, x_high: p.x_high, y: told, y_low: low, y_high: high, resolved: !p.open, front_share: p.front };
  });
  placeLabels(all, { x, y, width: plotWidth(), height: 380 });
  const best = points.length ? points.reduce((a, b) => (b.x < a.x ? b : a)) : null;
  const exact = points.length ? points.reduce((a, b) => (true_y.get(b)[0] < true_y.get(a)[0] ? b : a)) : null;
  const alt = best
    ? `${errorTitle} against ${costTitle.toLowerCase()}: ${points.length} points. Cheapest: ${best.label}. Most accurate: ${exact.label}, ${percent(true_y.get(exact)[0])}. ${failed.length} did not finish.`
    : `No finished points in this selection; ${failed.length} did not finish.`;
  const edge = guides.find((g) => g.kind === "edge"), bottom = guides.find((g) => g.kind === "bottom");
  const ticks = logTicks(x).filter((tick) => !edge || tick <= edge.x);
  const told = points.filter((p) => p.front >= 0.05).sort((a, b) => a.x - b.x).map((p) => `${shown(p.label, 40)} ${Math.round(100 * p.front)}\u00a0%`);
  return {
    points: all, guides, table, told: told.length ? [`On the Pareto front (grey steps), with the share of bootstrap draws: ${told.join(", ")}.`] : [], alt: shown(alt, 400),
    settings: {
      x_title: unit === "s" || unit === "B" ? costTitle : `${costTitle} (${unit})`, y_title: errorTitle, x_unit: unit, y_unit: "error",
      x_domain: x, y_domain: y, x_ticks: ticks, y_ticks: logTicks(y).filter((tick) => !bottom || tick >= bottom.y),
    },
  };
}

const plotWidth = () => Math.max(260, (widthOf(document.querySelector("main")) || 900) - 80);

// Estimator × size: ratio of a cost to the best of its column; failures keep their cell and say why.
const OUTCOME_WORDS = {
  ok: "untimed",  nonfinite: "NaN", unsupported: "n/a", error: "error", timeout: "timeout", out_of_memory: "memory", crashed: "crash", skipped: "skip",
};
const MOST_CELLS = 24, MOST_LINES = 60;

function heatMap(report, view) {
  const c = report.data.columns;
  const cost = costOf(view);
  const cells = new Map();
  for (const i of report.selection.rows(view, ["dim", "depth", "order"])) {
    const cell = c.cell[i];
    if (!cells.has(cell)) cells.set(cell, { sizes: [c.order[i], c.dim[i], c.depth[i]], lines: new Map(), best: Infinity });
    const group = cells.get(cell), before = group.lines.get(c.label[i]);
    if (before === undefined || (c[cost][i] ?? Infinity) < (c[cost][before] ?? Infinity)) group.lines.set(c.label[i], i);
    if (c[cost][i] > 0) group.best = Math.min(group.best, c[cost][i]);
  }
  const order = [...cells.entries()].sort((a, b) => a[1].sizes.reduce((sign, v, k) => sign || v - b[1].sizes[k], 0));
  const every = new Set(order.slice(0, MOST_CELLS).flatMap(([, group]) => [...group.lines.keys()]));
  const labels = new Set([...every].sort(byName).slice(0, MOST_LINES));
  const points = [];
  order.slice(0, MOST_CELLS).forEach(([cell, group], rank) => {
    for (const [label, i] of group.lines) {
      if (!labels.has(label)) continue;
      const failed = !(c[cost][i] > 0);
      const ratio = failed ? null : c[cost][i] / group.best;
      points.push({
        row: i, estimator: c.estimator[i], label: shown(label, 44), cell, rank, ratio, failed, outcome: c.outcome[i],
        text: failed ? OUTCOME_WORDS[c.outcome[i]] ?? "–" : ratio < 1.005 ? "1" : digits(ratio, 2),
      });
    }
  });
  const places = new Map([...new Set(points.map((p) => p.label))].sort(byName).map((label, place) => [label, place]));
  for (const point of points) point.place = places.get(point.label);
  points.sort((a, b) => a.rank - b.rank);
  const left = order.length - MOST_CELLS;
  return {
    points,
    least: 250 + 40 * Math.min(MOST_CELLS, order.length),
    height: 23 * new Set(points.map((p) => p.label)).size,
    told: every.size > MOST_LINES ? [`The first ${MOST_LINES} of ${every.size} estimators with their options; hide some in the filters to see others.`] : [],
    settings: { x_title: `dimension D, depth, order T${left > 0 ? ` (first ${MOST_CELLS} of ${order.length} sizes)` : ""}` },
    alt: `${COSTS[cost][0]} over the best of each size: ${labels.size} estimators with their options, ${cells.size} sizes, ${points.filter((p) => p.failed).length} cells without a number.`,
  };
}

// Cost against one axis of size, the others held by the filters.
const SIZES = { dim: "Dimension D", depth: "Depth (hidden layers)", order: "Derivative order T", batch: "Batch B" };

function scaling(along) {
  return (report, view) => {
    const c = report.data.columns;
    const cost = costOf(view);
    const [costTitle, unit, low, high] = COSTS[cost];
    const groups = new Map();
    for (const i of report.selection.rows(view, [along])) {
      if (!(c[cost][i] > 0) || !(c[along][i] > 0)) continue;
      const key = JSON.stringify([c.label[i], c[along][i]]);
      if (!groups.has(key)) groups.set(key, []);
      groups.get(key).push(i);
    }
    const points = [];
    for (const group of groups.values()) {
      const costs = group.map((i) => c[cost][i]).sort((a, b) => a - b);
      const i = group[0], x = c[along][i];
      points.push({
        row: i, estimator: c.estimator[i], label: c.label[i], series: c.label[i], x, x_low: x, x_high: x, y: costs[costs.length >> 1],
        y_low: Math.min(...group.map((j) => c[low][j] ?? c[cost][j])), y_high: Math.max(...group.map((j) => c[high][j] ?? c[cost][j])),
        open: false, failed: false, text: "", merged: group.length,
      });
    }
    points.sort((a, b) => a.x - b.x).forEach((point, rank) => { point.rank = rank; });
    if (new Set(points.map((p) => p.x)).size < 2) return { points: [], nothing: points.length ? `Only one value in this selection: ${along} = ${points[0].x}.` : "" };
    const last = new Map(points.map((point) => [point.series, point]));
    for (const point of last.values()) point.text = c.option_text[point.row];
    const x = logDomain(points.map((p) => p.x), 1.25);
    const y = logDomain(points.flatMap((p) => [p.y, p.y_low, p.y_high]));
    x[1] *= (x[1] / x[0]) ** 0.12;
    placeLabels(points, { x, y, width: plotWidth() / 3 - 60, height: 380 });
    return {
      points,
      settings: {
        x_title: SIZES[along], y_title: costTitle, x_unit: "", y_unit: unit, x_domain: x, y_domain: y,
        x_ticks: sizeTicks(points.map((p) => p.x), x), y_ticks: logTicks(y),
      },
      alt: `${costTitle} against ${SIZES[along].toLowerCase()}: ${points.length} points of ${new Set(points.map((p) => p.label)).size} estimators with their options.`,
    };
  };
}

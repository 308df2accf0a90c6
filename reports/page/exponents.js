// Exponents: the slope of log cost against log size along each axis through the selected size, by least squares.
const T_975 = [NaN, 12.7, 4.3, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23]; // Student's, by degrees of freedom

// Slope with the half-width of its 95 % interval (NaN for two points), and the residual std in logarithms.
function straightLine(xs, ys) {
  const x = xs.map(Math.log), y = ys.map(Math.log), n = x.length;
  const mx = x.reduce((a, b) => a + b) / n, my = y.reduce((a, b) => a + b) / n;
  const under = x.reduce((sum, v) => sum + (v - mx) ** 2, 0);
  if (!(under > 0)) return null;
  const slope = x.reduce((sum, v, k) => sum + (v - mx) * (y[k] - my), 0) / under;
  const rest = y.reduce((sum, v, k) => sum + (v - my - slope * (x[k] - mx)) ** 2, 0), free = n - 2;
  const spread = free > 0 ? Math.sqrt(rest / free) : NaN;
  return { slope, half: (T_975[free] ?? 1.96 + 2.6 / free) * spread / Math.sqrt(under), spread, sizes: n };
}

function drawExponents(table, report) {
  const { state, marks } = report;
  const told = (line) => !line ? "–" : digits(line.slope, 2) + (Number.isNaN(line.half) ? "" : ` ± ${digits(line.half, 2)}`);
  function refresh(view) {
    const labels = new Map();
    for (const axis of Object.keys(SIZES)) {
      for (const point of scaling(axis)(report, view).points) {
        if (!labels.has(point.label)) labels.set(point.label, { estimator: point.estimator, axes: {} });
        (labels.get(point.label).axes[axis] ??= []).push(point);
      }
    }
    const fits = new Map((fitGroup(report, view)?.fits ?? []).filter((fit) => !view.order || view.order === ALL || String(fit.order) === view.order).map((fit) => [fit.label, fit]));
    const cell = (text, title = "") => element("td", { className: "number", title }, text);
    table.querySelector("tbody").replaceChildren(...[...labels].sort((a, b) => byName(a[0], b[0])).slice(0, 80).map(([label, { estimator, axes }]) => {
      const lines = Object.keys(SIZES).map((axis) => axes[axis] && straightLine(axes[axis].map((p) => p.x), axes[axis].map((p) => p.y)));
      const spreads = lines.map((line) => line?.spread).filter((v) => v >= 0), fit = fits.get(label);
      return element("tr", {}, element("td", {}, element("span", { className: "named" }, markerIcon(marks[estimator]), shown(label, 44))),
        ...lines.map((line) => cell(told(line), line ? `${line.sizes} sizes` : "")),
        cell(spreads.length ? `±${percent(Math.expm1(Math.max(...spreads)))}` : "–"), cell(!fit ? "–" : fit.time.left_out ? `±${percent(Math.expm1(fit.time.spread))}` : "unknown", fit && !fit.time.left_out ? "too few sizes to leave one out" : ""));
    }));
    table.hidden = labels.size === 0;
  }
  followVisible(table.parentElement, state, refresh);
}

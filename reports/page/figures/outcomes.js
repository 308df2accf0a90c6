// How the points of each estimator ended.
const OUTCOMES = ["ok", "nonfinite", "unsupported", "error", "timeout", "out_of_memory", "crashed", "skipped"];

function outcomes(report, view) {
  const c = report.data.columns;
  const counts = new Map();
  for (const i of report.selection.rows(view, FACETS.filter((facet) => facet !== "quantity"))) {
    const name = shown(c.estimator[i], 36);
    if (!counts.has(name)) counts.set(name, {});
    counts.get(name)[c.outcome[i]] = (counts.get(name)[c.outcome[i]] ?? 0) + 1;
  }
  const points = [];
  for (const [estimator, ends] of counts) {
    let start = 0;
    for (const outcome of OUTCOMES) {
      const count = ends[outcome];
      if (!count) continue;
      points.push({
        estimator, outcome, count, start, end: start + count, middle: start + count / 2, text: outcome === "ok" ? String(count) : `${count} ${OUTCOME_WORDS[outcome]}`,
        title: `${estimator}: ${count} ${outcome.replace(/_/g, " ")}`,
      });
      start += count;
    }
  }
  const widest = Math.max(...[...counts.values()].map((ends) => Object.values(ends).reduce((a, b) => a + b)));
  const pixels = (plotWidth() - 110) / widest; // a word that is wider than its bar would cover its neighbour
  for (const point of points) if (6.4 * point.text.length > point.count * pixels) point.text = 6.4 * String(point.count).length > point.count * pixels ? "" : String(point.count);
  const failed = points.filter((p) => p.outcome !== "ok").reduce((sum, p) => sum + p.count, 0);
  return {
    points, height: 24 * counts.size,
    table: points.map(({ estimator, outcome, count }) => ({ estimator, outcome, count })),
    alt: `${counts.size} estimators; ${failed} of ${points.reduce((sum, p) => sum + p.count, 0)} points did not end ok.`,
  };
}

// Evaluates the scaling laws fitted at build time (bench/recommend/scaling.py) at any size.
const lawTerms = (law, dim, depth) => law.powers.map(([p, q, r], k) => law.coefficients[k] * dim ** p * depth ** q * Math.min(dim, law.width) ** r);
const lawAt = (law, dim, depth) => lawTerms(law, dim, depth).reduce((a, b) => a + b, 0);
const outside = (size, [low, high]) => Math.max(0, Math.log(low / size), Math.log(size / high));
const lawDistance = (law, dim, depth) => outside(dim, law.dims) + outside(depth, law.depths);
const lawSpread = (law, dim, depth) => law.spread * (1 + lawDistance(law, dim, depth));

// The local exponents of D and depth.
function lawExponents(law, dim, depth) {
  const terms = lawTerms(law, dim, depth);
  const total = terms.reduce((a, b) => a + b, 0);
  return [0, 1].map((axis) => terms.reduce((sum, term, k) => sum + term * (law.powers[k][axis] + (axis === 0 && dim < law.width ? law.powers[k][2] : 0)), 0) / total);
}

// The laws of the most measured setting that the filters let through.
function fitGroup(report, view) {
  const passed = new Set(report.selection.rows(view, ["dim", "depth", "order", "seed"]));
  return report.fits.find((group) => passed.has(group.row) || group.rows?.some((row) => passed.has(row)));
}

// The answer of fitted laws at a size, or why there is none; as judge_fitted in bench/recommend/answer.py.
function judgeFitted(fit, { dim, depth, tolerance, memory }) {
  const answer = { fit, estimator: fit.estimator, label: fit.label, basis: "fitted" };
  for (const [name, asked, [low, high]] of [["dimension", dim, fit.time.dims], ["depth", depth, fit.time.depths]]) {
    if (low === high && low !== asked) return { ...answer, why: `measured at ${name} ${digits(low)} only: nothing says how it scales` };
  }
  const at = (law) => (law ? lawAt(law, dim, depth) : 0);
  const step = at(fit.time), factor = Math.exp(1.96 * lawSpread(fit.time, dim, depth));
  const high = at(fit.bias_high), low = Math.min(at(fit.bias_low), high), heavy = fit.memory ? at(fit.memory) : null;
  if (low >= tolerance) return { ...answer, why: `too biased: ${percent(low)} at least` };
  if (high >= tolerance) return { ...answer, why: `bias not resolved, up to ${percent(high)}` };
  if (memory && heavy === null) return { ...answer, why: "memory unknown" };
  if (memory && heavy > memory) return { ...answer, why: `too heavy: ${bytes(heavy)}` };
  const calls = callsNeeded(high, at(fit.std), tolerance);
  return {
    ...answer, calls, step, cost: calls * step, low: (calls * step) / factor, high: calls * step * factor, peak: heavy,
    beyond: Math.exp(lawDistance(fit.time, dim, depth)),
  };
}

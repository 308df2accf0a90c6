// The verdict: what is known of a row, or of fitted laws, goes through the rule (bench/recommend/rule.py, translated).
const measured = (c, i) => c.ok[i] && c.time_step_s[i] > 0 && c.bias_sure[i] !== null;

// One row of each label answers: the last that was measured to the end.
function judgeAll(c, rows, limits) {
  const last = new Map();
  for (const i of rows) if (measured(c, i) || !measured(c, last.get(c.label[i]))) last.set(c.label[i], i);
  return [...last.values()].map((i) => judge(c, i, limits));
}

function judge(c, i, limits) {
  const about = { row: i, estimator: c.estimator[i], label: c.label[i], basis: "measured" };
  if (!c.ok[i]) return { ...about, why: c.outcome[i].replace(/_/g, " "), reason: c.reason[i] };
  if (!measured(c, i)) return { ...about, why: "not measured to the end" };
  const step = c.time_step_s[i];
  return priced(about, {
    step, step_low: c.time_step_low_s[i] ?? step, step_high: c.time_step_high_s[i] ?? step, bias_low: c.bias_low_sure[i],
    bias_high: c.bias_sure[i], std: c.grad_std[i] ?? 0, memory: c.peak_step_bytes[i] ?? NaN,
  }, limits);
}

function judgeFitted(fit, dim, depth, limits) {
  const about = { fit, estimator: fit.estimator, label: fit.label, basis: "fitted", beyond: Math.exp(law_distance(fit.time, dim, depth)) };
  const axis = does_not_scale(fit, dim, depth);
  if (axis) return { ...about, why: `measured at ${axis} ${digits(fit.time[axis === "depth" ? "depths" : "dims"][0])} only: nothing says how it scales` };
  return priced(about, predicted(fit, dim, depth), limits);
}

function priced(about, facts, { tolerance, memory }) {
  const found = judged(facts, tolerance, memory || Infinity, Infinity);
  if (!found.why) return { ...about, ...found, step: facts.step, peak: facts.memory };
  const amount = found.why === "heavy" ? bytes(found.amount) : percent(found.amount);
  return { ...about, why: REFUSALS[found.why].replace("{}", amount) };
}

// Ranked answers, and refusals.
function ranking(answers) {
  const ranked = answers.filter((answer) => answer.calls).sort((a, b) => a.cost - b.cost);
  const best = ranked[0];
  for (const answer of ranked) {
    answer.ratio = answer.cost / best.cost;
    answer.tied = answer !== best && tied(answer.cost, answer.cost_low, best.cost, best.cost_high);
  }
  return { ranked, refused: answers.filter((answer) => !answer.calls) };
}

// The laws of the most measured setting that the filters let through.
function fitGroup(report, view) {
  const passed = new Set(report.selection.rows(view, ["dim", "depth", "order", "seed"]));
  return report.fits.find((group) => passed.has(group.row));
}

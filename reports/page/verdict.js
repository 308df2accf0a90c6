// The verdict's rule, as in bench/recommend/answer.py: what it costs to bring the gradient's error below a tolerance.
// Averaging k independent calls leaves bias and divides the variance: bias² + std²/k <= tolerance².
const TIE = 1.05; // run to run, an unchanged step moves by about this much

function callsNeeded(bias, std, tolerance) {
  if (!(bias < tolerance)) return Infinity;
  return Math.max(1, Math.ceil((std * std) / (tolerance * tolerance - bias * bias) - 1e-9));
}

function judge(columns, i, tolerance, memory) {
  const c = columns;
  const about = { row: i, estimator: c.estimator[i], label: c.label[i], basis: "measured" };
  if (!c.ok[i]) return { ...about, why: c.outcome[i].replace(/_/g, " "), reason: c.reason[i] };
  const bias = c.bias_sure[i], std = c.grad_std[i] ?? 0, time = c.time_step_s[i];
  if (!(time > 0) || bias === null) return { ...about, why: "not measured" };
  if (bias >= tolerance) {
    const sure = c.bias_low_sure[i] >= tolerance;
    return { ...about, why: sure ? `too biased: ${percent(c.grad_bias[i])}` : `bias not resolved, up to ${percent(bias)}` };
  }
  if (memory && c.peak_step_bytes[i] === null) return { ...about, why: "memory unknown" };
  if (memory && c.peak_step_bytes[i] > memory) return { ...about, why: `too heavy: ${bytes(c.peak_step_bytes[i])}` };
  const calls = callsNeeded(bias, std, tolerance);
  return {
    ...about, calls, step: time, peak: c.peak_step_bytes[i], cost: calls * time, low: calls * (c.time_step_low_s[i] ?? time), high: calls * (c.time_step_high_s[i] ?? time),
  };
}

// Ranked answers and refusals for rows of one size; then of any answers.
function verdict(columns, rows, tolerance, memory) {
  return ranking(rows.map((i) => judge(columns, i, tolerance, memory)));
}

function ranking(judged) {
  const ranked = judged.filter((answer) => answer.calls).sort((a, b) => a.cost - b.cost);
  const best = ranked[0];
  for (const answer of ranked) {
    answer.ratio = answer.cost / best.cost;
    answer.tied = answer !== best && (answer.low <= best.high || answer.ratio <= TIE);
  }
  return { ranked, refused: judged.filter((answer) => !answer.calls) };
}

// Measurement quality: how wide the intervals are, and which points not to lean on.
const NOISY = 0.1, MOST_FLAGGED = 40;

// A bias that the paired route resolved may be no more than the arithmetic's rounding: neither chance nor a bug.
function onlyRounding(c, i) {
  return c.grad_bias_high[i] <= 2 * c.grad_rounding[i];
}

// ELU and ReLU: the reference counts the kinks that autograd leaves out, and says so.
const isStress = (c, i) => /kinks counted/.test(c.reference[i] ?? "");

function drawQuality(place, report) {
  const { data, selection, state, marks } = report;
  const c = data.columns;
  function flagsOf(i) {
    const flags = [], width = (c.time_step_high_s[i] - c.time_step_low_s[i]) / c.time_step_s[i];
    if (c.quality[i] === "noisy") flags.push(`noisy: ${shown(c.quality_reason[i], 300)}`);
    if (c.quality[i] === null && width > NOISY) flags.push(`time known to ±${percent(width / 2)} only`);
    if (isStress(c, i)) flags.push("stress row: at the activation's kinks automatic differentiation is not the objective's derivative");
    if (c.time_step_s[i] > 0 && c.time_step_s[i] < 5e-5) flags.push("step shorter than 50 µs: overhead, not arithmetic");
    if (c.declared_bias[i] === "none" && c.bias_resolved[i] === true && c.grad_std[i] > 0 && !onlyRounding(c, i)) flags.push("unbiased by construction, yet a bias was resolved: chance, or a bug");
    if (c.grad_std[i] > 0 && c.draws[i] < 32) flags.push(`${c.draws[i]} draws: std known to ±${percent(Math.sqrt(1 / (2 * (c.draws[i] - 1))) * 1.96)} at worst`);
    if (c.grad_rounding[i] > 0.01) flags.push(`rounding changes the gradient by ${percent(c.grad_rounding[i])}`);
    return [flags, width || 0];
  }
  function refresh(view) {
    const rows = selection.rows(view, ["dim", "depth", "order"]).filter((i) => c.ok[i]);
    const widths = rows.map((i) => (c.time_step_high_s[i] - c.time_step_low_s[i]) / c.time_step_s[i]).filter(Number.isFinite).sort((a, b) => a - b);
    const flagged = rows.map((i) => [i, ...flagsOf(i)]).filter(([, flags]) => flags.length).sort((a, b) => b[2] - a[2]);
    const at = (share) => widths[Math.min(widths.length - 1, Math.floor(share * widths.length))];
    place.querySelector(".told").textContent = widths.length
      ? `Over ${rows.length.toLocaleString("en")} points of this quantity and setting, the 95 % interval of a step time is ${percent(at(0.5))} wide in the median and ${percent(at(0.95))} at the 95th percentile. ${flagged.length} points carry a warning.`
      : "No finished point in this selection.";
    place.querySelector("tbody").replaceChildren(...flagged.slice(0, MOST_FLAGGED).map(([i, flags]) => element("tr", {},
      element("td", {}, element("span", { className: "named" }, markerIcon(marks[c.estimator[i]]), shown(c.label[i], 44))), element("td", {}, c.cell[i]),
      element("td", { className: "number" }, seconds(c.time_step_s[i])), element("td", {}, flags.join("; ")))));
    place.querySelector(".note").textContent = flagged.length > MOST_FLAGGED ? `The ${MOST_FLAGGED} widest of ${flagged.length}.` : "";
  }
  followVisible(place, state, refresh);
}

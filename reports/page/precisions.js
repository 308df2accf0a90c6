// float32 against float64 (or any two precisions): the same point in each, side by side.
function drawPrecisions(place, report) {
  const { data, selection, state, marks } = report;
  const c = data.columns;
  const bias = (i) => (c.bias_resolved[i] === false ? `< ${percent(c.grad_bias_high[i])}` : percent(c.grad_bias[i]));
  function refresh(view) {
    const pairs = new Map();
    for (const i of selection.rows(view, ["dtype"])) {
      const key = `${c.label[i]} ${c.cell[i]}`;
      if (!pairs.has(key)) pairs.set(key, {});
      if (c.ok[i]) pairs.get(key)[c.dtype[i]] ??= i;
    }
    const lines = [...pairs.values()].filter((pair) => Object.keys(pair).length > 1).slice(0, 60);
    place.hidden = lines.length === 0;
    place.querySelector("tbody").replaceChildren(...lines.map((pair) => {
      const [low, high] = Object.keys(pair).sort((p, q) => c.error_floor[pair[q]] - c.error_floor[pair[p]]).filter((_, k, all) => k === 0 || k === all.length - 1);
      const a = pair[low], b = pair[high];
      const cell = (text) => element("td", { className: "number" }, text);
      return element("tr", {}, element("td", {}, element("span", { className: "named" }, markerIcon(marks[c.estimator[a]]), shown(c.label[a], 44))),
        element("td", {}, c.cell[a]), element("td", {}, `${low} / ${high}`), cell(bias(a)), cell(bias(b)), cell(percent(c.grad_rounding[a])),
        cell(digits(c.time_step_s[a] / c.time_step_s[b])), cell(digits(c.peak_step_bytes[a] / c.peak_step_bytes[b])));
    }));
  }
  followVisible(place.parentElement, state, refresh);
}

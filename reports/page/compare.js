// Two estimators side by side over all sizes: ratio of step times, and how sure it is.
function drawCompare(place, report) {
  const { data, selection, state } = report;
  const c = data.columns;
  const [first, second] = place.querySelectorAll("select");
  first.addEventListener("change", () => state.set({ a: first.value }));
  second.addEventListener("change", () => state.set({ b: second.value }));

  function verdictOf(low, high) {
    const { floor, same_within } = report.compared; // as `python -m bench compare` does
    if (high < 1 / (1 + floor)) return "faster";
    if (low > 1 + floor) return "slower";
    return low >= 1 / (1 + same_within) && high <= 1 + same_within ? "same" : "unclear";
  }

  function refresh(view) {
    const rows = selection.rows(view, ["dim", "depth", "order"], true);
    const labels = [...new Set(rows.map((i) => c.label[i]))].sort(byName);
    const other = labels.find((label) => c.estimator[rows.find((i) => c.label[i] === label)] !== c.estimator[rows.find((i) => c.label[i] === labels[0])]);
    for (const [select, wanted, otherwise] of [[first, view.a, labels[0]], [second, view.b, other ?? labels[1] ?? labels[0]]]) {
      select.replaceChildren(...labels.map((label) => element("option", { value: label }, shown(label, 50))));
      select.value = labels.includes(wanted) ? wanted : otherwise ?? "";
    }
    const cells = new Map();
    for (const i of rows) {
      const side = c.label[i] === first.value ? "a" : c.label[i] === second.value ? "b" : null;
      if (!side) continue;
      if (!cells.has(c.cell[i])) cells.set(c.cell[i], {});
      cells.get(c.cell[i])[side] ??= i;
      if (first.value === second.value) cells.get(c.cell[i]).b = i;
    }
    const order = [...cells.values()].sort((p, q) => ["order", "dim", "depth"].reduce((sign, n) => sign || c[n][p.a ?? p.b] - c[n][q.a ?? q.b], 0));
    place.querySelector("tbody").replaceChildren(...order.slice(0, 60).map(({ a, b }) => {
      const i = a ?? b, size = element("td", {}, `D ${c.dim[i]}, depth ${c.depth[i]}, T ${c.order[i]}`);
      const outcome = (j) => (j === undefined ? "not measured" : c.ok[j] && c.time_step_s[j] > 0 ? seconds(c.time_step_s[j]) : c.outcome[j].replace(/_/g, " "));
      const both = [a, b].every((j) => j !== undefined && c.time_step_s[j] > 0);
      const cells = [size, element("td", { className: "number" }, outcome(a)), element("td", { className: "number" }, outcome(b))];
      if (!both) return element("tr", {}, ...cells, element("td", { className: "none", colSpan: 4 }, "not comparable"));
      const ratio = c.time_step_s[a] / c.time_step_s[b];
      const low = c.time_step_low_s[a] / c.time_step_high_s[b], high = c.time_step_high_s[a] / c.time_step_low_s[b];
      return element("tr", {}, ...cells, element("td", { className: "number" }, `${digits(ratio)} (${digits(low)} to ${digits(high)})`),
        element("td", {}, verdictOf(low, high)), element("td", { className: "number" }, digits(c.peak_step_bytes[a] / c.peak_step_bytes[b])),
        element("td", { className: "number" }, `${percent(c.rmse[a])} and ${percent(c.rmse[b])}`));
    }));
  }
  followVisible(place, state, refresh);
}

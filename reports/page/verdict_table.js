// The verdict section: a sentence for the selected size, and a line for every size.
const MOST_SIZES = 60;

function drawVerdict(place, report) {
  const { data, selection, state, marks } = report;
  const c = data.columns;
  const tolerance = place.querySelector("#tolerance"), slider = place.querySelector("#tolerance-slider");
  const memory = place.querySelector("#memory");
  tolerance.addEventListener("change", () => state.set({ tolerance: String(clamp(tolerance.value)) }));
  slider.addEventListener("input", () => state.set({ tolerance: String(Number((10 ** slider.value).toPrecision(2))) }));
  memory.addEventListener("change", () => state.set({ memory: memory.value > 0 ? String(+memory.value) : "" }));
  const clamp = (value) => Math.min(1000, Math.max(1e-6, Number(value) || 10));

  const named = (i, limit = 44) => element("span", { className: "named", title: shown(c.label[i], 400) }, markerIcon(marks[c.estimator[i]]), shown(c.label[i], limit));
  const size = (i) => `D = ${c.dim[i]}, depth ${c.depth[i]}, order ${c.order[i]}`;

  // The best setting of each estimator.
  const oneEach = (ranked) => ranked.filter((a, k) => ranked.findIndex((b) => c.estimator[b.row] === c.estimator[a.row]) === k);

  function sentence(view, wanted, limit) {
    const rows = selection.rows(view);
    const box = place.querySelector(".answer");
    const cells = new Set(rows.map((i) => c.cell[i]));
    if (!rows.length) return box.replaceChildren("Nothing was measured at this selection.");
    if (cells.size > 1) return box.replaceChildren(`${cells.size} sizes are selected; choose one dimension, depth and order for an answer in one sentence.`);
    const { ranked, refused } = verdict(c, rows, wanted, limit);
    if (!ranked.length) {
      return box.replaceChildren(element("p", {}, `No estimator reaches ${percent(wanted)} at ${size(rows[0])}. `, whyNot(refused)));
    }
    const best = ranked[0], ties = oneEach(ranked).filter((answer) => answer.tied);
    const rest = oneEach(ranked).filter((a) => a !== best && !a.tied);
    const lead = element("p", { className: "lead" }, named(best.row, 60), element("span", { className: "cost" }, seconds(best.cost)));
    const text = element("p", {},
      `reaches a gradient error of ${percent(wanted)} most cheaply at ${size(best.row)}: `,
      best.calls === 1 ? "one call suffices" : `${best.calls.toLocaleString("en")} independent calls averaged, ${seconds(c.time_step_s[best.row])} each`,
      `, 95 % interval ${seconds(best.low)} to ${seconds(best.high)}, peak memory ${bytes(c.peak_step_bytes[best.row])}.`);
    const more = element("p", { className: "others" });
    if (ties.length) more.append("Tied with it: ", ...joined(ties.slice(0, 6).map((a) => named(a.row))), ". ");
    if (rest.length) more.append("Dearer: ", ...joined(rest.slice(0, 5).map((a) => element("span", {}, named(a.row), ` ×${digits(a.ratio, 2)}`))), ". ");
    box.replaceChildren(lead, text, more, whyNot(refused));
  }

  const joined = (nodes) => nodes.flatMap((node, k) => (k ? [", ", node] : [node]));

  function whyNot(refused) {
    if (!refused.length) return "";
    return element("details", {}, element("summary", {}, `Why ${refused.length} other${refused.length > 1 ? "s do" : " does"} not qualify`),
      element("ul", {}, ...refused.slice(0, 100).map((a) => element("li", {}, named(a.row), `: ${a.why}`, a.reason ? element("span", { className: "reason" }, ` (${shown(a.reason, 160)})`) : null))));
  }

  function table(view, wanted, limit) {
    const cells = new Map();
    for (const i of selection.rows(view, ["dim", "depth", "order"])) {
      if (!cells.has(c.cell[i])) cells.set(c.cell[i], []);
      cells.get(c.cell[i]).push(i);
    }
    const order = [...cells.values()].sort((a, b) => c.order[a[0]] - c.order[b[0]] || c.dim[a[0]] - c.dim[b[0]] || c.depth[a[0]] - c.depth[b[0]]);
    const body = order.slice(0, MOST_SIZES).map((rows) => {
      const { ranked, refused } = verdict(c, rows, wanted, limit);
      const [best, ...others] = oneEach(ranked), i = rows[0];
      const chosen = String(c.dim[i]) === view.dim && String(c.depth[i]) === view.depth;
      const line = element("tr", { className: chosen ? "chosen" : "" }, ...[c.dim[i], c.depth[i], c.order[i]].map((v) => element("td", { className: "number" }, digits(v, 4))));
      if (!best) {
        line.append(element("td", { colSpan: 4, className: "none" }, "none qualifies"));
      } else {
        line.append(
          element("td", {}, named(best.row)),
          element("td", { className: "number" }, seconds(best.cost), element("small", {}, best.calls > 1 ? ` ${best.calls} calls` : "")),
          element("td", { className: "number" }, bytes(c.peak_step_bytes[best.row])),
          element("td", { className: "runners" }, ...joined(others.slice(0, 3).map((a) => element("span", { className: a.tied ? "tied" : "" }, named(a.row, 30), a.tied ? " tie" : ` ×${digits(a.ratio, 2)}`)))),
        );
      }
      line.append(element("td", { className: "number quiet" }, `${ranked.length} of ${rows.length}`));
      line.addEventListener("click", () => state.set({ dim: String(c.dim[i]), depth: String(c.depth[i]), order: String(c.order[i]) }));
      return line;
    });
    place.querySelector("tbody").replaceChildren(...body);
    place.querySelector(".note").textContent = order.length > MOST_SIZES ? `First ${MOST_SIZES} of ${order.length} sizes.` : "";
  }

  function refresh(view) {
    const wanted = clamp(view.tolerance) / 100, limit = view.memory ? Number(view.memory) * 1e6 : 0;
    tolerance.value = view.tolerance;
    slider.value = Math.log10(clamp(view.tolerance));
    memory.value = view.memory || "";
    sentence(view, wanted, limit);
    table(view, wanted, limit);
  }
  state.listen(refresh);
  refresh(state.values);
}

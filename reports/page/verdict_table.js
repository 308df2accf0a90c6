// The verdict section: a sentence for the selected size, and a line for every size.
const MOST_SIZES = 60;
const HELD = ["model", "data", "width", "activation", "residual", "stage", "batch", "dtype", "device", "threads", "machine"];

function drawVerdict(place, report) {
  const { data, selection, state, marks } = report;
  const c = data.columns;
  const tolerance = place.querySelector("#tolerance"), slider = place.querySelector("#tolerance-slider");
  const memory = place.querySelector("#memory");
  tolerance.addEventListener("change", () => state.set({ tolerance: String(clamp(tolerance.value)) }));
  slider.addEventListener("input", () => state.set({ tolerance: String(Number((10 ** slider.value).toPrecision(2))) }));
  memory.addEventListener("change", () => state.set({ memory: memory.value > 0 ? String(+memory.value) : "" }));
  const clamp = (value) => Math.min(1000, Math.max(1e-6, Number(value) || 10));

  const asked = ["dim", "depth", "order"].map((axis) => place.querySelector(`#ask-${axis}`));
  asked.forEach((field) => field.addEventListener("change", () => state.set({ [field.id.replace("-", "_")]: field.value > 0 ? field.value : "" })));

  const named = (answer, limit = 44) => element("a", { className: "named", href: report.pages[answer.estimator], title: shown(answer.label, 400) }, markerIcon(marks[answer.estimator]), shown(answer.label, limit));

  // The best setting of each estimator.
  const oneEach = (ranked) => [...ranked.reduceRight((best, answer) => best.set(answer.estimator, answer), new Map()).values()].sort((a, b) => a.cost - b.cost);

  // The size asked for: the fields, else the filters; null where neither says.
  function sizeOf(view) {
    const size = {};
    for (const axis of ["dim", "depth", "order"]) {
      const among = selection.live.includes(axis) ? view[axis] : String(c[axis].find((v) => v !== null) ?? "");
      const value = Number(view[`ask_${axis}`] || (among === ALL ? NaN : among));
      if (!Number.isFinite(value)) return null;
      size[axis] = value;
    }
    return size;
  }

  // Measured rows answer for themselves, fitted laws for the labels without a row at this size.
  function answers(view, size, tolerance, memory) {
    const near = selection.rows(view, ["dim", "depth", "order"]);
    const rows = near.filter((i) => c.dim[i] === size.dim && c.depth[i] === size.depth && c.order[i] === size.order);
    const limits = { tolerance, memory };
    const answered = judgeAll(c, rows, limits);
    const have = new Set(rows.map((i) => c.label[i])), labels = new Set(near.map((i) => c.label[i]));
    for (const fit of fitGroup(report, view)?.fits ?? []) {
      if (fit.order === size.order && labels.has(fit.label) && !have.has(fit.label)) answered.push(judgeFitted(fit, size.dim, size.depth, limits));
    }
    return ranking(answered);
  }

  function sentence(view, wanted, limit) {
    const box = place.querySelector(".answer"), size = sizeOf(view);
    asked.forEach((field) => {
      const axis = field.id.slice(4);
      field.value = Number(view[`ask_${axis}`]) > 0 ? view[`ask_${axis}`] : "";
      field.placeholder = view[axis] && view[axis] !== ALL ? view[axis] : "any";
    });
    if (!size) return box.replaceChildren("Several sizes are selected; choose a dimension, a depth and an order for an answer in one sentence.");
    const text = `D = ${size.dim}, depth ${size.depth}, order ${size.order}`;
    const { ranked, refused } = answers(view, size, wanted, limit);
    if (!ranked.length && !refused.length) return box.replaceChildren(`Nothing was measured that could answer for ${text}: at its order an estimator has to be measured at two sizes or more.`);
    if (!ranked.length) return box.replaceChildren(element("p", {}, `No estimator reaches ${percent(wanted)} at ${text}. `), whyNot(refused));
    const best = ranked[0], ties = oneEach(ranked).filter((answer) => answer.tied);
    const rest = oneEach(ranked).filter((a) => a !== best && !a.tied);
    const lead = element("p", { className: "lead" }, named(best, 60), element("span", { className: "cost" }, seconds(best.cost)));
    const told = element("p", {},
      `reaches a gradient error of ${percent(wanted)} most cheaply at ${text}: `,
      best.calls === 1 ? "one call suffices" : `${best.calls.toLocaleString("en")} independent calls averaged, ${seconds(best.step)} each`,
      `, 95 % interval ${seconds(best.cost_low)} to ${seconds(best.cost_high)} (interval from the step time alone), peak memory ${bytes(best.peak)}.`);
    const caution = best.basis === "fitted" ? element("p", { className: "caution" },
      `Not measured at this size: predicted from ${best.fit.points} points with D from ${best.fit.time.dims.join(" to ")} and depth from ${best.fit.time.depths.join(" to ")}`,
      best.beyond > 1.001 ? `, an extrapolation by a factor of ${digits(best.beyond, 2)}.` : ", inside that range.") : null;
    const noisy = ranked.filter((a) => a.row !== undefined && c.quality[a.row] === "noisy").length;
    const doubt = noisy ? element("p", { className: "caution" }, `The timing of ${noisy} of these ${ranked.length} was noisy: see Quality before you lean on a factor.`) : null;
    const mixed = HELD.filter((facet) => selection.live.includes(facet) && new Set(ranked.filter((a) => a.row !== undefined).map((a) => c[facet][a.row])).size > 1);
    const several = mixed.length ? element("p", { className: "caution" }, `The filters let several settings through, and these estimators were measured in different ones: choose one ${mixed.map((facet) => FACET_NAMES[facet].toLowerCase()).join(" and one ")} to compare like with like.`) : null;
    const stress = ranked.some((a) => a.row !== undefined && isStress(c, a.row));
    const kinks = stress ? element("p", { className: "caution" }, "A stress row: this activation has kinks, at which automatic differentiation is not the objective's derivative. The errors are against a reference that counts them.") : null;
    const more = element("p", { className: "others" });
    if (ties.length) more.append("Tied with it: ", ...joined(ties.slice(0, 6).map((a) => named(a))), ". ");
    if (rest.length) more.append("Dearer: ", ...joined(rest.slice(0, 5).map((a) => element("span", {}, named(a), ` ×${digits(a.ratio, 2)}`))), ". ");
    box.replaceChildren(...[lead, told, caution, several, doubt, kinks, more, whyNot(refused)].filter(Boolean));
  }

  const joined = (nodes) => nodes.flatMap((node, k) => (k ? [", ", node] : [node]));

  function whyNot(refused) {
    if (!refused.length) return "";
    return element("details", {}, element("summary", {}, `Why ${refused.length} other${refused.length > 1 ? "s do" : " does"} not qualify`),
      element("ul", {}, ...refused.slice(0, 100).map((a) => element("li", {}, named(a), `: ${a.why}`, a.reason ? element("span", { className: "reason" }, ` (${shown(a.reason, 160)})`) : null))));
  }

  function table(view, wanted, limit) {
    const cells = new Map();
    for (const i of selection.rows(view, ["dim", "depth", "order"])) {
      if (!cells.has(c.cell[i])) cells.set(c.cell[i], []);
      cells.get(c.cell[i]).push(i);
    }
    const order = [...cells.values()].sort((a, b) => c.order[a[0]] - c.order[b[0]] || c.dim[a[0]] - c.dim[b[0]] || c.depth[a[0]] - c.depth[b[0]]);
    const body = order.slice(0, MOST_SIZES).map((rows) => {
      const { ranked, refused } = ranking(judgeAll(c, rows, { tolerance: wanted, memory: limit }));
      const [best, ...others] = oneEach(ranked), i = rows[0];
      const chosen = ["dim", "depth", "order"].every((axis) => !selection.live.includes(axis) || String(c[axis][i]) === view[axis]);
      const line = element("tr", { className: chosen ? "chosen" : "" }, element("td", { className: "number" }, element("button", { type: "button", className: "plain", title: "See this size in the figures" }, digits(c.dim[i], 4))), ...[c.depth[i], c.order[i]].map((v) => element("td", { className: "number" }, digits(v, 4))));
      if (!best) {
        line.append(element("td", { colSpan: 4, className: "none" }, "none qualifies"));
      } else {
        line.append(
          element("td", {}, named(best)),
          element("td", { className: "number" }, seconds(best.cost), element("small", {}, best.calls > 1 ? ` ${best.calls} calls` : "")),
          element("td", { className: "number" }, bytes(c.peak_step_bytes[best.row])),
          element("td", { className: "runners" }, ...joined(others.slice(0, 3).map((a) => element("span", { className: a.tied ? "tied" : "" }, named(a, 30), a.tied ? " tie" : ` ×${digits(a.ratio, 2)}`)))),
        );
      }
      line.append(element("td", { className: "number quiet" }, `${ranked.length} of ${ranked.length + refused.length}`));
      line.addEventListener("click", (event) => {
        if (event.target.closest("a")) return;
        const size = Object.fromEntries(["dim", "depth", "order"].filter((axis) => selection.live.includes(axis)).map((axis) => [axis, String(c[axis][i])]));
        state.set({ ...size, ask_dim: "", ask_depth: "", ask_order: "" });
      });
      return line;
    });
    place.querySelector("tbody").replaceChildren(...body);
    place.querySelector(".note").textContent = order.length > MOST_SIZES ? `First ${MOST_SIZES} of ${order.length} sizes.` : "";
  }

  function refresh(view) {
    const wanted = clamp(view.tolerance) / 100, limit = Number(view.memory) > 0 ? Number(view.memory) * 1e6 : 0;
    tolerance.value = clamp(view.tolerance);
    slider.value = Math.log10(clamp(view.tolerance));
    memory.value = limit ? limit / 1e6 : "";
    sentence(view, wanted, limit);
    table(view, wanted, limit);
  }
  report.answers = (size, wanted, limit) => answers(state.values, size, wanted, limit);
  followVisible(place, state, refresh);
}

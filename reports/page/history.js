// Starts the history page: one point, one measure, some machines and estimators; each choice narrows the next ones.
const HISTORY_FACETS = [
  ["quantity", "Quantity"], ["order", "Order"], ["dim", "Dimension"], ["depth", "Depth"], ["setting", "Problem"], ["measure", "Measure"],
  ["machine", "Measured on", "all machines"], ["estimator", "Estimator", "all estimators"],
];
const HISTORY_COLUMN = { estimator: "label" };

function startHistory() {
  const json = (id) => document.getElementById(id).textContent;
  const data = decodeColumns(json("history-data"));
  const page = { data, ...JSON.parse(json("history-about")), tooltip: document.getElementById("tooltip"), views: {} };
  page.steps = decodeColumns(JSON.stringify(page.steps));
  const column = (facet) => data.columns[HISTORY_COLUMN[facet] ?? facet];
  const is = (facet, i, value) => String(column(facet)[i] ?? "–") === value;
  const all = [...Array(data.length).keys()];

  // The values that each facet offers under the choices before it, those at most commits first.
  function offered(view, facet) {
    const names = HISTORY_FACETS.map(([name]) => name);
    const rows = all.filter((i) => names.slice(0, names.indexOf(facet)).every((name) => view[name] === "" || is(name, i, view[name])));
    const commits = new Map();
    for (const i of rows) {
      const value = String(column(facet)[i] ?? "–");
      if (!commits.has(value)) commits.set(value, new Set());
      commits.get(value).add(data.columns.place[i]);
    }
    return [...commits].map(([value, places]) => [value, places.size]);
  }
  function settled(view) {
    const next = { ...view };
    for (const [facet, , any] of HISTORY_FACETS) {
      const values = offered(next, facet);
      if ((any && next[facet] === "") || values.some(([value]) => value === next[facet])) continue;
      next[facet] = any ? "" : facet === "measure" && values.some(([v]) => v === "time_step_s") ? "time_step_s" : values.reduce((best, v) => (v[1] > best[1] ? v : best))[0];
    }
    return next;
  }
  page.chosen = (view) => all.filter((i) => HISTORY_FACETS.every(([facet]) => view[facet] === "" || is(facet, i, view[facet])));
  const empty = Object.fromEntries(HISTORY_FACETS.map(([facet]) => [facet, ""]));
  page.state = makeState({ ...settled(empty), scale: "value" }, (name, value) => name !== "scale" || value === "relative", settled);
  window.report = page;

  const place = document.getElementById("history-filters");
  const controls = HISTORY_FACETS.map(([facet, title, any]) => {
    const select = element("select", { onchange: () => page.state.set(settled({ ...page.state.values, [facet]: select.value })) });
    select.dataset.facet = facet;
    const label = element("label", {}, title, " ", select);
    place.append(label);
    return (view) => {
      const values = offered(view, facet).map(([value]) => value).sort(byName);
      select.replaceChildren(...(any && values.length > 1 ? [""] : []).concat(values).map((value) =>
        element("option", { value }, value === "" ? any : shown(facet === "measure" ? page.measures[value].title : value.replace(facet === "quantity" ? /_/g : /$^/g, " "), 60))));
      select.value = any && values.length === 1 ? values[0] : view[facet];
    };
  });
  const scale = element("select", { onchange: () => page.state.set({ scale: scale.value }) },
    element("option", { value: "value" }, "as measured"), element("option", { value: "relative" }, "over the first commit's"));
  place.append(element("label", {}, "Values", " ", scale));
  const follow = (view) => {
    for (const control of controls) control(view);
    scale.value = view.scale;
  };
  page.state.listen(follow);
  follow(page.state.values);
  const figure = document.querySelector("figure[data-figure=history]");
  const chart = makeChart(figure, page);
  page.state.listen(chart.stale);
  followVisible(figure, page.state, (view) => chart.update(historyFigure(page, view)));
  for (const link of document.querySelectorAll("#steps a")) {
    link.addEventListener("click", () => figure.scrollIntoView());
  }
  document.documentElement.dataset.ready = "yes";
}

if (document.getElementById("history-filters")) startHistory();

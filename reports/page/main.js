// Starts the page: decode, default view, filters, sections.
const FIGURES = {
  work_precision: workPrecision, scaling_dim: scaling("dim"), scaling_depth: scaling("depth"), scaling_order: scaling("order"),
  scaling_batch: scaling("batch"), budget, bias_forest: biasForest, step_size: stepSize, memory: memoryFigure,
  heat_map: heatMap, outcomes, residuals, convergence,
};

function startReport() {
  const json = (id) => document.getElementById(id).textContent;
  const data = decodeColumns(json("data"));
  const report = { data, ...JSON.parse(json("about")), tooltip: document.getElementById("tooltip"), views: {} };
  report.selection = makeSelection(data);
  const first = report.selection.fullest({});
  const known = (name, value) => !report.selection.live.includes(name) || report.selection.known(name, value);
  report.state = makeState({ ...first, hide: "", error: "rmse", cost: "time_step_s", floor: "cut", batches: "fresh", step: "plain", wall: "",
    ask_dim: "", ask_depth: "", ask_order: "", a: "", b: "", tolerance: "10", memory: "" }, known, report.selection.settled);
  window.report = report;
  drawFilters(document.getElementById("filters"), report);
  drawVerdict(document.getElementById("verdict"), report);
  for (const figure of document.querySelectorAll("figure[data-figure]")) {
    const chart = makeChart(figure, report);
    report.state.listen(chart.stale);
    followVisible(figure, report.state, (view) => chart.update(FIGURES[figure.dataset.figure](report, view)));
  }
  for (const control of document.querySelectorAll("select[data-state]")) {
    control.addEventListener("change", () => report.state.set({ [control.dataset.state]: control.value }));
    const follow = (view) => { control.value = view[control.dataset.state]; };
    report.state.listen(follow);
    follow(report.state.values);
  }
  for (const place of document.querySelectorAll("[data-legend]")) {
    const fill = (view) => {
      const names = [...new Set(report.selection.rows(view, ["dim", "depth", "order"]).map((i) => data.columns.estimator[i]))].sort(byName);
      place.replaceChildren(...names.map((n) => element("span", { title: shown(n, 400) }, markerIcon(report.marks[n]), shown(n, 32))));
    };
    report.state.listen(fill);
    fill(report.state.values);
  }
  drawExponents(document.querySelector("table.exponents"), report);
  drawPrecisions(document.getElementById("precisions"), report);
  drawCompare(document.getElementById("compare"), report);
  drawQuality(document.getElementById("quality"), report);
  drawTable(document.getElementById("table"), report);
  // The hash holds the view, so section links scroll without touching it.
  for (const link of document.querySelectorAll("a[data-scroll]")) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      document.getElementById(link.getAttribute("href").slice(1)).scrollIntoView();
    });
  }
  document.documentElement.dataset.ready = "yes";
}

if (document.getElementById("data")) startReport();

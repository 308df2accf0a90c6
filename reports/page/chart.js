// One figure on the page: a Vega view whose rows and titles follow the filters, drawn only when it comes into sight.
function makeChart(figure, report) {
  const { marks } = report;
  const place = figure.querySelector(".plot");
  const legend = figure.querySelector(".legend");
  const name = figure.dataset.figure;
  const spec = report.specs[figure.dataset.spec ?? name];
  let view = null, starting = false, latest = null, drawn = null;

  // The rows and settings of `content`, as Vega's signals and data.
  function settingsOf({ settings, height }) {
    const known = Object.keys(marks);
    return {
      ...settings, ...(height ? { height } : {}), width: Math.max(latest.least ?? 200, widthOf(place)),
      names: known, colours: known.map((n) => marks[n].colour), shapes: known.map((n) => marks[n].shape),
    };
  }

  async function start() {
    starting = true;
    const filled = structuredClone(spec);
    const signals = settingsOf(latest);
    for (const signal of filled.signals) if (signal.name in signals && signal.name !== "width") signal.value = signals[signal.name];
    for (const { name: signal, on } of filled.signals) if (signal === "width" && latest.least) for (const event of on) event.update = `max(${latest.least}, ${event.update})`;
    if (latest.height) filled.height = latest.height;
    for (const source of filled.data) if (source.name in latest && Array.isArray(latest[source.name])) source.values = latest[source.name];
    ({ view } = await vegaEmbed(place, filled, {
      mode: "vega", renderer: "svg", actions: false, defaultStyle: false, tooltip: showTooltip(report),
    }));
    report.views[name] = view;
    draw();
  }

  function draw() {
    if (!latest || latest === drawn) return;
    figure.querySelector(".nothing").textContent = latest.nothing || "Nothing to draw in this selection.";
    if (latest.points.length === 0) return;
    if (!view) return void (starting || start());
    drawn = latest;
    const { points, guides, alt } = latest;
    for (const [signal, value] of Object.entries(settingsOf(latest))) view.signal(signal, value);
    view.data("points", points);
    if (guides) view.data("guides", guides);
    view.resize().run();
    place.setAttribute("role", "img");
    place.setAttribute("aria-label", alt ?? "");
    drawLegend(points);
    figure.dataset.drawn = "yes";
  }

  function drawTold({ told = [] }) {
    const list = figure.querySelector(".told");
    if (list) list.replaceChildren(...told.map((text) => element("li", {}, shown(text, 500))));
  }

  function drawLegend(points) {
    if (!legend) return;
    const names = [...new Set(points.map((point) => point.estimator))].sort(byName);
    legend.replaceChildren(...names.map((n) => element("span", { title: shown(n, 400) }, markerIcon(marks[n]), shown(n, 32))));
  }

  return {
    stale: () => { figure.dataset.drawn = "no"; },
    update(content) {
      latest = content;
      figure.classList.toggle("empty", content.points.length === 0);
      draw();
      drawTold(content);
      drawData(figure, content.table ?? content.points, name);
    },
  };
}

// The rows behind a figure: as a table on demand, and as CSV.
function drawData(figure, rows, name) {
  const details = figure.querySelector("details.data");
  if (!details) return;
  const fill = () => {
    const names = rows.length ? Object.keys(rows[0]).filter((n) => !["row", "text", "text_x", "text_y", "rank", "place", "failed"].includes(n)) : [];
    const head = element("tr", {}, ...names.map((n) => element("th", { scope: "col" }, n)));
    const body = rows.slice(0, 200).map((row) => element("tr", {}, ...names.map((n) =>
      element("td", {}, typeof row[n] === "number" ? digits(row[n], 4) : shown(row[n], 60)))));
    details.querySelector(".scroll").replaceChildren(element("table", {}, element("thead", {}, head), element("tbody", {}, ...body)));
    details.querySelector(".note").textContent = rows.length > 200 ? `First 200 of ${rows.length} rows; the CSV has all.` : "";
    details.querySelector("button").onclick = () => download(`${name}.csv`, csvText(names, rows));
  };
  details.ontoggle = () => details.open && fill();
  if (details.open) fill();
}

// The fitted laws as numbers: local exponents at the selected size, and their left-out errors.
function drawExponents(table, report) {
  const { selection, state, marks } = report;
  function refresh(view) {
    const group = fitGroup(report, view), labels = new Set(selection.rows(view, ["dim", "depth", "order"]).map((i) => report.data.columns.label[i]));
    const fits = (group?.fits ?? []).filter((fit) => labels.has(fit.label) && (!view.order || view.order === ALL || String(fit.order) === view.order));
    const middle = ([low, high]) => Math.sqrt(low * high);
    const cell = (value) => element("td", { className: "number" }, value);
    table.querySelector("tbody").replaceChildren(...fits.slice(0, 80).map((fit) => {
      const dim = Number(view.dim) || middle(fit.time.dims), depth = Number(view.depth) || middle(fit.time.depths);
      const [p, q] = law_exponents(fit.time, fit.time.coefficients, dim, depth), m = fit.memory ? law_exponents(fit.memory, fit.memory.coefficients, dim, depth)[0] : null;
      const varied = ([low, high], value) => (high > low ? digits(value, 2) : "–");
      return element("tr", {}, element("td", {}, element("span", { className: "named" }, markerIcon(marks[fit.estimator]), shown(fit.label, 44))),
        cell(digits(fit.order)), cell(varied(fit.time.dims, p)), cell(varied(fit.time.depths, q)), cell(m === null ? "–" : varied(fit.time.dims, m)),
        cell(`±${percent(Math.expm1(fit.time.spread))}`), cell(digits(fit.points)));
    }));
    table.hidden = fits.length === 0;
  }
  followVisible(table.parentElement, state, refresh);
}

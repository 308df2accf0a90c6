// Every row of the selection: sorted, searched, paged, its columns chosen, downloaded as CSV.
const PAGE_ROWS = 50;
const FIRST_COLUMNS = [
  "estimator", "options", "dim", "depth", "order", "time_step_s", "peak_step_bytes", "grad_bias", "grad_bias_high", "grad_std",
  "rmse", "draws", "outcome", "reason",
];

function drawTable(place, report) {
  const { data, selection, state } = report;
  const own = new Set(report.derived);
  const names = data.names.filter((name) => !own.has(name) || name === "rmse");
  let shownColumns = FIRST_COLUMNS.filter((name) => names.includes(name));
  let sort = { column: null, down: false }, page = 0, query = "", everything = false, rows = [];
  const search = place.querySelector("input[type=search]"), scope = place.querySelector("#table-all");
  const copied = place.querySelector(".copied");
  const head = place.querySelector("thead"), body = place.querySelector("tbody"), count = place.querySelector(".count");
  search.addEventListener("input", () => { query = search.value.trim().toLowerCase(); page = 0; collect(); });
  scope.addEventListener("change", () => { everything = scope.checked; page = 0; collect(); });
  place.querySelector(".previous").addEventListener("click", () => { page--; show(); });
  place.querySelector(".next").addEventListener("click", () => { page++; show(); });
  place.querySelector(".csv").addEventListener("click", () => download("rows.csv", text()));
  place.querySelector(".copy").addEventListener("click", async () => {
    const what = `${rows.length.toLocaleString("en")} rows, ${shownColumns.length} columns`;
    try {
      await navigator.clipboard.writeText(text());
      copied.textContent = `Copied: ${what}.`;
    } catch {
      copied.textContent = `The browser does not allow copying here; the download holds the same ${what}.`;
    }
  });
  place.querySelector(".columns").append(...names.map((name) => {
    const box = element("input", { type: "checkbox", checked: shownColumns.includes(name), onchange: () => {
      shownColumns = names.filter((n) => (n === name ? box.checked : shownColumns.includes(n)));
      show();
    } });
    return element("label", {}, box, name);
  }));

  const text = () => csvText(shownColumns, rows.map((i) => Object.fromEntries(shownColumns.map((n) => [n, data.columns[n][i]]))));

  function collect() {
    rows = everything ? Array.from({ length: data.length }, (_, i) => i) : selection.rows(state.values);
    if (query) rows = rows.filter((i) => shownColumns.some((n) => String(data.columns[n][i] ?? "").toLowerCase().includes(query)));
    if (sort.column) {
      const column = data.columns[sort.column], sign = sort.down ? -1 : 1;
      const empty = (v) => v === null || v === undefined;
      rows = [...rows].sort((a, b) => {
        const x = column[a], y = column[b];
        if (empty(x) || empty(y)) return empty(x) - empty(y);
        return sign * (x < y ? -1 : x > y ? 1 : 0);
      });
    }
    show();
  }

  function order(name) {
    sort = { column: name, down: sort.column === name ? !sort.down : false };
    page = 0;
    collect();
    head.querySelector(`button[data-column="${CSS.escape(name)}"]`)?.focus();
  }

  function show() {
    const pages = Math.max(1, Math.ceil(rows.length / PAGE_ROWS));
    page = Math.min(Math.max(0, page), pages - 1);
    head.replaceChildren(element("tr", {}, ...shownColumns.map((name) => {
      const direction = sort.column === name ? (sort.down ? "descending" : "ascending") : "none";
      const button = element("button", { type: "button", title: report.meanings[name] ?? "", onclick: () => order(name) },
        name, direction === "none" ? "" : sort.down ? " ↓" : " ↑");
      button.dataset.column = name;
      return element("th", { scope: "col", "aria-sort": direction }, button);
    })));
    body.replaceChildren(...rows.slice(page * PAGE_ROWS, (page + 1) * PAGE_ROWS).map((i) => element("tr", {}, ...shownColumns.map((name) => {
      const value = data.columns[name][i];
      const content = typeof value !== "number" ? shown(value, 60) : Number.isSafeInteger(value) ? value.toLocaleString("en") : digits(value, 4);
      return element("td", { className: typeof value === "number" ? "number" : "", title: typeof value === "string" && value.length > 60 ? shown(value, 1000) : "" }, content);
    }))));
    count.textContent = `${rows.length.toLocaleString("en")} rows, page ${page + 1} of ${pages}`;
    place.querySelector(".previous").disabled = page === 0;
    place.querySelector(".next").disabled = page === pages - 1;
  }
  followVisible(place, state, () => { page = 0; collect(); });
}

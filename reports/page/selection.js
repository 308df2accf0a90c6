// Which rows the filters let through.
const FACETS = [
  "quantity", "model", "data", "dim", "depth", "order", "width", "activation", "residual", "stage", "batch", "dtype",
  "device", "threads", "seed", "machine",
];
const FACET_NAMES = {
  quantity: "Quantity", model: "Model", data: "Data", dim: "Dimension D", depth: "Depth", order: "Order T", width: "Width",
  activation: "Activation", residual: "Residual", stage: "Stage", batch: "Batch", dtype: "Precision", device: "Device",
  threads: "Threads", seed: "Seed", machine: "Machine",
};
const ALL = "all", MOST_CACHED = 32;

function hiddenNames(view) {
  try {
    return new Set((view.hide || "").split(" ").filter(Boolean).map(decodeURIComponent));
  } catch {
    return new Set(); // somebody's broken link
  }
}
const hiddenText = (names) => [...names].sort().map(encodeURIComponent).join(" ");

function makeSelection(data) {
  const codes = {}, values = {};
  for (const facet of FACETS) {
    const seen = new Map();
    const column = data.columns[facet] ?? [];
    const own = new Int32Array(data.length);
    for (let i = 0; i < data.length; i++) {
      const text = String(column[i] ?? "–");
      if (!seen.has(text)) seen.set(text, seen.size);
      own[i] = seen.get(text);
    }
    codes[facet] = own;
    values[facet] = [...seen.keys()];
  }
  const cache = new Map();
  const live = FACETS.filter((facet) => values[facet].length > 1);

  // Row numbers that pass; filters named in `release` are ignored.
  function rows(view, release = [], withHidden = false) {
    const key = JSON.stringify([live.map((facet) => (release.includes(facet) ? ALL : view[facet])), withHidden ? "" : view.hide]);
    if (!cache.has(key)) {
      if (cache.size >= MOST_CACHED) cache.delete(cache.keys().next().value);
      cache.set(key, passing(view, release, withHidden));
    }
    return cache.get(key);
  }

  function passing(view, release, withHidden) {
    const tests = [];
    for (const facet of live) {
      if (release.includes(facet) || view[facet] === ALL || view[facet] === undefined) continue;
      tests.push([codes[facet], values[facet].indexOf(view[facet])]);
    }
    const hidden = withHidden ? new Set() : hiddenNames(view);
    const estimator = data.columns.estimator;
    const passed = [];
    next: for (let i = 0; i < data.length; i++) {
      for (const [column, code] of tests) if (column[i] !== code) continue next;
      if (hidden.size && hidden.has(estimator[i])) continue;
      passed.push(i);
    }
    return passed;
  }

  function sorted(facet, among) {
    const present = new Set();
    for (const i of among) present.add(codes[facet][i]);
    return [...present].map((code) => values[facet][code]).sort((a, b) =>
      Number.isFinite(+a) && Number.isFinite(+b) ? a - b : a < b ? -1 : 1);
  }

  // The slice with the most finished estimators; the larger problem where several tie.
  function fullest(fixed) {
    const among = rows(Object.fromEntries(live.map((facet) => [facet, fixed[facet] ?? ALL])));
    const slices = new Map();
    for (const i of among) {
      const key = live.map((facet) => codes[facet][i]).join(" ");
      if (!slices.has(key)) slices.set(key, { row: i, labels: new Set(), total: 0 });
      const slice = slices.get(key);
      slice.total++;
      if (data.columns.ok[i] && data.columns.time_step_s[i] > 0) slice.labels.add(data.columns.label[i]);
    }
    let best = null;
    for (const slice of slices.values()) {
      const size = (data.columns.dim[slice.row] ?? 0) + 1e-3 * (data.columns.depth[slice.row] ?? 0);
      const rank = [slice.labels.size, size];
      if (!best || rank[0] > best.rank[0] || (rank[0] === best.rank[0] && rank[1] > best.rank[1])) best = { ...slice, rank };
    }
    return best ? Object.fromEntries(live.map((facet) => [facet, values[facet][codes[facet][best.row]]])) : {};
  }

  // A link may name a quantity and leave the rest to us: what it does not name moves to where something was measured.
  function settled(view, named) {
    if (rows(view, [], true).length) return {};
    const kept = Object.fromEntries(live.filter((facet) => named.has(facet)).map((facet) => [facet, view[facet]]));
    const found = fullest(kept);
    return Object.keys(found).length ? { ...found, ...kept } : fullest({});
  }

  const known = (facet, value) => value === ALL || values[facet].includes(value);
  return { live, known, settled, rows, sorted, fullest };
}

// One measure against commits, at the chosen point.
const DASH_NAMES = ["solid", "dashed", "dotted", "dash-dotted"]; // as `dashes`, by their place

function historyFigure(page, view) {
  const c = page.data.columns;
  const rows = page.chosen(view);
  const places = [...new Set(rows.map((i) => c.place[i]))].sort((a, b) => a - b);
  const rank = new Map(places.map((place, x) => [place, x]));
  const machines = [...new Set(rows.map((i) => c.machine[i]))].sort(byName);
  const { title, unit } = page.measures[view.measure];
  const relative = view.scale === "relative";
  const firsts = new Map();
  for (const i of [...rows].sort((a, b) => c.place[a] - c.place[b])) if (!firsts.has(c.series[i]) && c.value[i] > 0) firsts.set(c.series[i], c.value[i]);
  const by = (i) => (relative ? firsts.get(c.series[i]) : 1);
  const points = rows.map((i) => {
    const open = !c.resolved[i], failed = c.value[i] === null, commit = page.commits[c.place[i]];
    const y = failed ? null : (open ? c.high[i] ?? 0 : c.value[i]) / by(i);
    const told = failed ? c.outcome[i].replace(/_/g, " ") : relative ? `${digits(y, 4)} of its first` : quantityText(view.measure, c.value[i]);
    return {
      commit: commit.short, date: commit.day, estimator: c.estimator[i], label: c.label[i], machine: c.machine[i], series: c.series[i],
      measure: view.measure, x: rank.get(c.place[i]), y, y_low: (c.low[i] ?? c.value[i]) / by(i), y_high: (c.high[i] ?? c.value[i]) / by(i),
      open, failed, outcome: c.outcome[i].replace(/_/g, " "), dash: page.dashes[machines.indexOf(c.machine[i]) % page.dashes.length],
      title: `${shown(c.label[i], 40)}: ${told}, ${shown(commit.short, 12)} ${shown(commit.subject, 40)}`,
    };
  }).filter((p) => p.failed || Number.isFinite(p.y));
  const y = tightDomain(points.flatMap((p) => (p.failed ? [] : [p.y, p.y_low, p.y_high])));
  for (const point of points) {
    if (point.failed) [point.y, point.y_low, point.y_high] = [y[1], y[1], y[1]];
    else for (const end of ["y", "y_low", "y_high"]) if (!(point[end] > y[0])) point[end] = y[0];
  }
  const s = page.steps.columns, drawn = new Set(points.map((p) => p.series));
  const guides = [], told = [], notes = [];
  for (let k = 0; k < page.steps.length; k++) {
    if (!drawn.has(s.series[k])) continue;
    const [from, to] = [s.before[k], s.after[k]].map((place) => page.commits[place]);
    const bias = view.measure === "grad_bias", size = s.change[k];
    const change = bias || (size > -0.5 && size < 1) ? `${size > 0 ? "+" : "−"}${digits(100 * Math.abs(size))} %` : `×${digits(1 + size)}`;
    const scale = relative ? firsts.get(s.series[k]) : 1;
    guides.push({ estimator: s.estimator[k], x: rank.get(s.after[k]) - 0.5, y: Math.max(s.old[k] / scale, y[0]), y_high: Math.max(s.new[k] / scale, y[0]), text: change });
    told.push(`${shown(s.label[k], 60)} is ${s.word[k]} (${change}) after ${shown(from.short, 12)}, at ${shown([to.short, to.subject].join(" ").trim(), 70)}${machines.length > 1 ? `, on ${shown(s.machine[k], 60)}` : ""}.`);
  }
  const ticks = places.map((_, x) => x).filter((x) => x % Math.ceil(places.length / 24) === 0);
  if (machines.length > 1) notes.push(`Lines: ${machines.slice(0, 8).map((name, k) => `${DASH_NAMES[k % DASH_NAMES.length]}, ${shown(name, 60)}`).join("; ")}.`);
  if (places.length === 1) notes.push("One commit was measured at this point; a history needs two.");
  return {
    points, guides: guides.length > 24 ? guides.map((g) => ({ ...g, text: "" })) : guides, told: [...told.slice(0, 10), ...notes],
    nothing: "No commit has this point.",
    table: points.map(({ x, dash, title: _, ...row }) => ({ ...row, y: row.failed ? null : row.y, y_low: row.failed ? null : row.y_low, y_high: row.failed ? null : row.y_high })),
    settings: {
      x_title: "Commit, oldest first", x_unit: "commit", x_domain: [-0.5, Math.max(places.length - 0.5, 0.5)], x_ticks: ticks,
      x_labels: places.map((place) => shown(page.commits[place].short, 12)),
      y_title: relative ? `${title}, over its first value` : unit === "plain steps" ? `${title} (${unit})` : title, y_unit: relative || unit === "plain steps" ? "" : unit, y_domain: y, y_ticks: tightTicks(y),
    },
    alt: `${title} of ${new Set(points.map((p) => p.label)).size} estimators at ${places.length} commits; ${guides.length} step changes. ${told.slice(0, 3).join(" ")}`,
  };
}

// A logarithmic axis that fits its values closely: changes of a few percent have to be seen.
function tightDomain(values) {
  const fine = values.filter((v) => v > 0 && Number.isFinite(v));
  if (!fine.length) return [1e-4, 1];
  const low = Math.min(...fine), high = Math.max(...fine), pad = Math.max((high / low) ** 0.06, 1.02);
  return [low / pad, high * pad];
}

// Even ticks where the axis spans little, powers of ten and their parts elsewhere.
function tightTicks([low, high]) {
  if (high / low > 6) return logTicks([low, high]);
  const step = 10 ** Math.floor(Math.log10((high - low) / 4));
  const wide = [1, 2, 5, 10].map((k) => k * step).find((size) => (high - low) / size <= 7);
  const ticks = [];
  for (let k = Math.ceil(low / wide); k * wide <= high; k++) ticks.push(Number((k * wide).toPrecision(6)));
  return ticks;
}

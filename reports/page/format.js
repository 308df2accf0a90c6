// Numbers with their units, and foreign text made harmless to the layout.
const FIRST_STRONG_ISOLATE = "\u2068", POP_ISOLATE = "\u2069";

// Control characters become visible blanks, long text is cut, and its direction cannot leak into what follows.
function shown(text, limit = 80) {
  if (text === null || text === undefined) return "";
  let clean = String(text).replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, " ");
  if (clean === "__proto__") return `\u2060${clean}`; // Vega keeps axis labels as keys of a plain object
  if (clean.length > limit) clean = clean.slice(0, limit - 1) + "…";
  return /^[\x20-\x7e\u00a0]*$/.test(clean) ? clean : FIRST_STRONG_ISOLATE + clean + POP_ISOLATE;
}

function digits(value, places = 3) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e6 || size < 1e-4) return value.toExponential(places - 1).replace("e+", "e");
  return size >= 1000 ? Math.round(value).toLocaleString("en") : String(Number(value.toPrecision(places)));
}

function scaled(value, steps) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const [factor, unit] = steps.find(([limit]) => Math.abs(value) >= limit * 0.9995) ?? steps.at(-1);
  return `${digits(value / factor)}\u00a0${unit}`;
}

const seconds = (value) => scaled(value, [[1, "s"], [1e-3, "ms"], [1e-6, "µs"], [1e-9, "ns"]]);
const bytes = (value) => scaled(value, [[1e9, "GB"], [1e6, "MB"], [1e3, "kB"], [1, "B"]]);
const flops = (value) => scaled(value, [[1e12, "TFLOP"], [1e9, "GFLOP"], [1e6, "MFLOP"], [1e3, "kFLOP"], [1, "FLOP"]]);
const joules = (value) => scaled(value, [[1, "J"], [1e-3, "mJ"], [1e-6, "µJ"]]);

function percent(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  if (value === 0) return "0";
  return value >= 1e-4 ? `${digits(100 * value)}\u00a0%` : digits(value, 2);
}

function quantityText(column, value) {
  if (value === null || value === undefined) return "–";
  if (typeof value !== "number") return shown(value);
  if (/_s$|_s_|time_step|time_value/.test(column) && !/ratio|samples/.test(column)) return seconds(value);
  if (/bytes/.test(column)) return bytes(value);
  if (/flops/.test(column)) return flops(value);
  if (/energy/.test(column)) return joules(value);
  if (/^grad_(?!cosine)|^value_|^rmse|^std_|^bias_(sure)|minibatch_std/.test(column)) return percent(value);
  return digits(value, 4);
}

// Names with numbers in them in the numbers' order.
const byName = new Intl.Collator("en", { numeric: true }).compare;

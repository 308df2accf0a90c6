// The Pareto front with its uncertainty: the share of bootstrap draws in which no other point is both cheaper and better.
// Draws are log-normal within each point's two intervals; seeded, so that a view always shows the same shares.
const FRONT_DRAWS = 200;

function seeded(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

function onFront(x, y) {
  const order = x.map((_, i) => i).sort((a, b) => x[a] - x[b] || y[a] - y[b]);
  const front = [];
  let least = Infinity;
  for (const i of order) if (y[i] < least) { least = y[i]; front.push(i); }
  return front;
}

function frontShares(points) {
  const random = seeded(1);
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const spread = (low, high) => (low > 0 && high > low ? Math.log(high / low) / 3.92 : 0);
  const counts = new Array(points.length).fill(0);
  const sx = points.map((p) => spread(p.x_low, p.x_high)), sy = points.map((p) => spread(p.y_low, p.y_high));
  for (let draw = 0; draw < FRONT_DRAWS; draw++) {
    const x = points.map((p, i) => p.x * Math.exp(sx[i] * normal())), y = points.map((p, i) => p.y * Math.exp(sy[i] * normal()));
    for (const i of onFront(x, y)) counts[i]++;
  }
  return counts.map((count) => count / FRONT_DRAWS);
}

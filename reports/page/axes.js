// Domains and ticks of logarithmic axes.
function logDomain(values, pad = 1.35) {
  let low = Infinity, high = -Infinity;
  for (const value of values) {
    if (!(value > 0) || !Number.isFinite(value)) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  if (low > high) return [1, 10];
  if (high / low < 1.5) pad = 2;
  return [low / pad, high * pad];
}

function logTicks([low, high]) {
  const decades = Math.log10(high / low);
  const steps = decades < 1.6 ? [1, 2, 5] : [1];
  const stride = Math.max(1, Math.ceil(decades / 9));
  const ticks = [];
  for (let e = Math.floor(Math.log10(low)); e <= Math.ceil(Math.log10(high)); e++) {
    if (((e % stride) + stride) % stride) continue;
    for (const step of steps) {
      const tick = Number(`${step}e${e}`);
      if (tick >= low && tick <= high) ticks.push(tick);
    }
  }
  return ticks;
}

// The measured sizes themselves, thinned where they would touch.
function sizeTicks(values, [low, high], most = 8) {
  const sizes = [...new Set(values)].filter((v) => v > 0).sort((a, b) => a - b);
  const gap = Math.log(high / low) / most;
  const ticks = [];
  for (const size of sizes) if (!ticks.length || Math.log(size / ticks.at(-1)) >= gap) ticks.push(size);
  return ticks;
}

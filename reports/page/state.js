// The view: one value or "all" for each filter, the estimators that are hidden, each figure's switches. It lives in the
// URL's hash, so that a link shares it.
function makeState(defaults, known = () => true, settled = () => ({})) {
  const listeners = new Set();
  const state = { values: { ...defaults } };

  function readHash() {
    const given = new URLSearchParams(location.hash.slice(1));
    const values = { ...defaults }, named = new Set();
    for (const [name, value] of given) {
      if (!Object.hasOwn(defaults, name) || !known(name, value)) continue;
      values[name] = value;
      named.add(name);
    }
    state.values = { ...values, ...settled(values, named) };
  }

  function writeHash() {
    const told = new URLSearchParams();
    for (const [name, value] of Object.entries(state.values)) if (value !== defaults[name]) told.set(name, value);
    const hash = told.toString();
    if (hash !== location.hash.slice(1)) history.replaceState(null, "", hash ? `#${hash}` : location.pathname + location.search);
  }

  state.set = (changes) => {
    Object.assign(state.values, changes);
    writeHash();
    for (const listener of listeners) listener(state.values);
  };
  state.reset = () => state.set({ ...defaults });
  state.listen = (listener) => listeners.add(listener);
  state.isDefault = (name) => state.values[name] === defaults[name];
  window.addEventListener("hashchange", () => {
    readHash();
    for (const listener of listeners) listener(state.values);
  });
  readHash();
  return state;
}

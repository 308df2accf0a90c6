// Work is done when it can be seen: a section follows the view only while it is on or near the screen.
function followVisible(place, state, refresh) {
  let visible = false, stale = true;
  const run = () => {
    if (!visible || !stale) return;
    stale = false;
    refresh(state.values);
  };
  new IntersectionObserver((entries) => {
    visible = entries.at(-1).isIntersecting;
    run();
  }, { rootMargin: "300px" }).observe(place);
  window.addEventListener("beforeprint", () => { visible = true; run(); });
  state.listen(() => { stale = true; run(); });
}

// A width, kept from the last layout: to ask while the page is being rebuilt would lay it out again each time.
const keptWidths = new WeakMap();
const widthWatcher = new ResizeObserver((entries) => {
  for (const entry of entries) keptWidths.set(entry.target, entry.contentRect.width);
});

function widthOf(place) {
  if (!place) return 0;
  if (!keptWidths.has(place)) {
    keptWidths.set(place, 0);
    widthWatcher.observe(place);
  }
  return keptWidths.get(place) || place.clientWidth;
}

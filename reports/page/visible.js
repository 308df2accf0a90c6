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

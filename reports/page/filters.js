// The filter bar: one choice for each column that varies, and the estimators with their markers.
function drawFilters(place, report) {
  const { data, selection, state, marks } = report;
  const selects = {};
  const bar = element("div", { className: "facets" });
  for (const facet of selection.live) {
    const select = element("select", { id: `filter-${facet}`, onchange: () => choose(facet, select.value) });
    selects[facet] = select;
    bar.append(element("label", {}, element("span", {}, FACET_NAMES[facet]), select));
  }
  const list = element("div", { className: "estimators", role: "group" });
  list.setAttribute("aria-label", "Estimators shown");
  const announce = element("p", { className: "announce", role: "status" });
  const reset = element("button", { type: "button", className: "quiet", onclick: () => state.reset() }, "Reset the view");
  const copy = element("button", { type: "button", className: "quiet", onclick: share }, "Copy link to this view");
  place.append(bar, list, element("div", { className: "buttons" }, reset, copy), announce);

  async function share() {
    try {
      await navigator.clipboard.writeText(location.href);
      announce.textContent = "Link copied.";
    } catch {
      announce.textContent = location.href;
    }
  }

  function choose(facet, value) {
    const changes = { [facet]: value };
    const view = { ...state.values, ...changes };
    if (selection.rows(view, [], true).length === 0) {
      const fallback = selection.fullest({ ...(view.quantity ? { quantity: view.quantity } : {}), [facet]: value });
      Object.assign(changes, fallback, { [facet]: value });
    }
    state.set(changes);
  }

  function toggle(name, on) {
    const hidden = hiddenNames(state.values);
    if (on) hidden.delete(name);
    else hidden.add(name);
    state.set({ hide: hiddenText(hidden) });
  }

  let listed = null, quantity = [];

  // The choices depend on the quantity alone.
  function offer(view) {
    listed = view.quantity ?? ALL;
    quantity = selection.rows({ quantity: listed }, [], true);
    for (const facet of selection.live) {
      const among = facet === "quantity" ? quantity.length ? selection.rows({}, [], true) : [] : quantity;
      const options = selection.sorted(facet, among);
      selects[facet].replaceChildren(
        ...(facet === "quantity" ? [] : [element("option", { value: ALL }, "all")]),
        ...options.map((value) => element("option", { value }, facet === "machine" ? machineName(value) : shown(value.replace(/_/g, " "), 40))),
      );
      selects[facet].parentElement.hidden = options.length < 2;
    }
  }

  function refresh(view) {
    if (listed !== (view.quantity ?? ALL)) offer(view);
    for (const facet of selection.live) selects[facet].value = view[facet];
    const hidden = hiddenNames(view);
    const names = [...new Set(quantity.map((i) => data.columns.estimator[i]))].sort();
    list.replaceChildren(...names.map((name) => {
      const box = element("input", { type: "checkbox", checked: !hidden.has(name), onchange: () => toggle(name, box.checked) });
      return element("label", { title: shown(name, 400) }, box, markerIcon(marks[name]), element("span", {}, shown(name, 28)));
    }));
    const count = selection.rows(view).length;
    announce.textContent = `${count.toLocaleString("en")} of ${data.length.toLocaleString("en")} points selected.`;
  }
  state.listen(refresh);
  refresh(state.values);
}

function machineName(text) {
  try {
    const facts = JSON.parse(text);
    return shown(facts.hostname ?? facts.gpu ?? facts.cpu ?? facts.cpu_model ?? Object.values(facts).find((v) => typeof v === "string") ?? text, 40);
  } catch {
    return shown(text, 40);
  }
}

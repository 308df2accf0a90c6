// What a mark says when the pointer is on it.
const TOLD = [
  "outcome", "reason", "time_step_s", "peak_step_bytes", "rmse", "grad_bias", "grad_std", "grad_cosine", "minibatch_std", "draws", "bias_route", "reference",
];
const TOLD_NAMES = {
  outcome: "outcome", reason: "reason", time_step_s: "step time", peak_step_bytes: "peak memory", rmse: "gradient RMSE",
  grad_bias: "gradient bias", grad_std: "std, one draw", grad_cosine: "cosine", minibatch_std: "minibatch noise",
  draws: "draws", bias_route: "bias measured", reference: "held against",
};
const TOLD_INTERVALS = {
  time_step_s: ["time_step_low_s", "time_step_high_s"], rmse: ["rmse_low", "rmse_high"],
  grad_bias: ["grad_bias_low", "grad_bias_high"], grad_std: ["std_low", "std_high"],
};

function showTooltip(report) {
  const box = report.tooltip;
  return (_, event, __, datum) => {
    if (!datum || datum.row === undefined) {
      if (datum && datum.title) {
        box.replaceChildren(element("strong", {}, shown(datum.title, 120)));
        place(event);
      } else box.hidden = true;
      return;
    }
    const value = (column) => report.data.columns[column][datum.row];
    const list = element("dl", {});
    for (const column of TOLD) {
      const v = value(column);
      if (v === null || v === undefined || (column === "outcome" && v === "ok")) continue;
      let text = column === "reason" || column === "reference" ? shown(v, 300) : quantityText(column, v);
      const ends = (TOLD_INTERVALS[column] ?? []).map(value);
      if (column === "grad_bias" && value("bias_resolved") === false) text = `not resolved, below ${percent(value("grad_bias_high"))}`;
      else if (ends.length && ends[0] !== null && ends[0] !== ends[1]) text += ` (${quantityText(column, ends[0])} to ${quantityText(column, ends[1])})`;
      list.append(element("dt", {}, TOLD_NAMES[column]), element("dd", {}, text));
    }
    const where = `D = ${value("dim") ?? "–"}, depth ${value("depth") ?? "–"}, order ${value("order") ?? "–"}, ${shown(value("model"), 30)}`;
    box.replaceChildren(element("strong", {}, shown(value("label"), 90)), element("div", { className: "where" }, where), list);
    place(event);
  };

  function place(event) {
    box.hidden = false;
    const x = Math.min(event.clientX + 16, innerWidth - box.offsetWidth - 8);
    const y = event.clientY + 16 + box.offsetHeight > innerHeight ? event.clientY - box.offsetHeight - 12 : event.clientY + 16;
    box.style.left = `${Math.max(8, x)}px`;
    box.style.top = `${Math.max(8, y)}px`;
  }
}

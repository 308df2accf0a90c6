// Starts the training page: its views are made when the page is built; each figure is drawn when it comes into sight.
function startTraining() {
  const page = { ...JSON.parse(document.getElementById("training-about").textContent), tooltip: document.getElementById("tooltip") };
  const made = page.views;
  page.views = {};
  page.state = makeState({}, () => true, (view) => view);
  window.report = page;
  for (const figure of document.querySelectorAll("figure[data-figure]")) {
    const chart = makeChart(figure, page);
    const { points, settings, alt, told, height } = made[figure.dataset.figure];
    const table = points.map(({ title, series, ...row }) => row);
    followVisible(figure, page.state, () => chart.update({ points, settings, alt, told, height, table, nothing: "No run of this problem ended well." }));
  }
  document.documentElement.dataset.ready = "yes";
}

if (document.getElementById("training-about")) startTraining();

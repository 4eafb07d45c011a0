// Curves over the generations, one per island, with uPlot.
const charts = [];

function curveChart(target, { label, values }) {
  const readout = make("p", { class: "readout" }), plot = make("div", { role: "img" });
  target.replaceChildren(plot, readout);
  const state = { plot: null, width: 0 };
  state.redraw = () => {
    if (!state.width) return;
    state.plot?.destroy();
    const rows = values().sort((a, b) => (a.name === looked.island) - (b.name === looked.island)); // it lies on top
    const axis = { stroke: style("--soft"), grid: { stroke: style("--line"), width: 1 }, ticks: { stroke: style("--line") }, font: "12px system-ui" };
    const series = rows.map(({ name }) => {
      const isLooked = name === looked.island;
      return { label: name, stroke: colour(name), width: isLooked ? 3.5 : 1.2, alpha: isLooked ? 1 : 0.55, spanGaps: true, points: { show: rows.length && doc.generations.length < 3 } };
    });
    const front = rows.find((row) => row.name === looked.island);
    const rest = front ? `${front.name}: ${show(lastOf(front.values))} in the end` : "";
    plot.setAttribute("aria-label", `${label} over the generations: ${summary(rows)}`);
    state.plot = new uPlot({
      width: state.width, height: Math.min(Math.max(state.width * 0.42, 220), 380),
      scales: { x: { time: false } }, legend: { show: false }, focus: { alpha: 0.3 }, cursor: { focus: { prox: 24 }, drag: { x: true, y: false } },
      axes: [{ ...axis, label: "generation", labelFont: axis.font, size: 34, labelSize: 24 }, { ...axis, label, labelFont: axis.font, size: 62 }],
      series: [{}, ...series],
      hooks: { setCursor: [(u) => { readout.textContent = at(u, rows) || rest; }] },
    }, [doc.generations, ...rows.map((row) => row.values)], plot);
    plot.dataset.points = String(rows.reduce((n, row) => n + row.values.filter(isNumber).length, 0));
    readout.textContent = rest;
  };
  onWidth(target, (width) => { state.width = width; state.redraw(); });
  charts.push(state);
  return state;
}

const lastOf = (values) => values.filter(isNumber).at(-1);

function summary(rows) {
  const ends = rows.map((row) => [lastOf(row.values), row.name]).filter(([value]) => isNumber(value)).sort((a, b) => a[0] - b[0]);
  if (!ends.length) return "no data yet";
  const [low, high] = [ends[0], ends.at(-1)];
  return `${plural(ends.length, "island")}, in the end from ${show(low[0])} (${low[1]}) to ${show(high[0])} (${high[1]})`;
}

function at(u, rows) {
  const i = u.cursor.idx;
  if (i === null || i === undefined) return "";
  const near = rows.map((row, k) => ({ ...row, value: row.values[i], away: Math.abs(u.valToPos(row.values[i], "y") - u.cursor.top), k })).filter(({ value }) => isNumber(value));
  near.sort((a, b) => a.away - b.away);
  return near.length ? `generation ${doc.generations[i]}: ${near.slice(0, 3).map((row) => `${row.name} ${show(row.value)}`).join(", ")}` : "";
}

function curveTable(target, caption, values) {
  const step = Math.max(1, Math.ceil(doc.generations.length / 31));
  const picked = doc.generations.map((_, i) => i).filter((i) => i % step === 0 || i === doc.generations.length - 1);
  const rows = values();
  table(target, {
    caption, head: ["generation", ...rows.map((row) => row.name)],
    rows: picked.map((i) => [doc.generations[i], ...rows.map((row) => show(row.values[i]))]),
  });
}

function startCurves() {
  const fitness = () => doc.islands.map((island) => ({ name: island.name, values: island.curves[chosen("curve")] }));
  const diversity = () => doc.islands.map((island) => ({ name: island.name, values: island.curves.diversity }));
  const drawTable = () => curveTable(byId("fitness-table"), "Fitness of each island", fitness);
  const chart = curveChart(byId("fitness-chart"), { label: "fitness", values: fitness });
  curveChart(byId("diversity-chart"), { label: "diversity", values: diversity });
  document.querySelectorAll('input[name="curve"]').forEach((input) => input.addEventListener("change", () => { chart.redraw(); drawTable(); }));
  drawTable();
  curveTable(byId("diversity-table"), "Diversity within each island", diversity);
  const redraw = () => charts.forEach((each) => each.redraw());
  watchIsland(redraw);
  themeWatchers.push(redraw);
}
